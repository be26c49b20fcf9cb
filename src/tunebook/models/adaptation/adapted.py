"""A model with an adapter: saves and loads the adapter alone, merges it into a copy. Knows peft, not the Trainer."""

from __future__ import annotations

import copy
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from torch import nn
from transformers import PreTrainedModel

from tunebook import files
from tunebook.errors import RunDirectoryError

if TYPE_CHECKING:
    import torch
    from peft import PeftModel

_HUNG = {"forward", "_original_forward"}
WEIGHTS, CONFIGURATION = "adapter_model.safetensors", "adapter_config.json"


@dataclass(frozen=True)
class Adapted:
    """A model and the adapter in it.

    Args:
        model: that trains. Of a method that stands in layers the transformers model itself, with peft's modules in
            it, so that whatever knows transformers models knows it; else peft's wrapper, which adds the input.
        wrapped: peft's wrapper; the weights are the model's.
        fixed: names of the parameters that never train, as `model.named_parameters` has them.
        keeps: what of a finished run is kept: the adapter, the merged weights, or both.
    """

    model: Any
    wrapped: PeftModel
    fixed: frozenset[str]
    keeps: Literal["adapter", "merged", "both"]

    @property
    def base(self) -> str:
        """The base model, as the adapter's configuration names it."""
        return str(self._settings.base_model_name_or_path)

    @property
    def revision(self) -> str | None:
        """Of the base model."""
        return self._settings.revision  # type: ignore[no-any-return]

    @property
    def _settings(self) -> Any:
        return self.wrapped.peft_config["default"]

    @property
    def plain(self) -> Any:
        """The transformers model, with peft's modules in it where the method stands in layers."""
        return self.wrapped.get_base_model()  # type: ignore[operator]

    def state(self) -> dict[str, torch.Tensor]:
        """What is saved of it: the adapter and the modules beside it, by peft's names."""
        from peft import get_peft_model_state_dict

        # By itself peft would ask the Hub whether the vocabulary has grown.
        return get_peft_model_state_dict(self.wrapped, save_embedding_layers=False)

    def save(self, folder: Path) -> None:
        """Writes the adapter as `peft` does, and the model's configuration beside it, which has the labels."""
        self.wrapped.save_pretrained(str(folder), save_embedding_layers=False)
        (folder / "README.md").unlink()  # a form to fill in
        self.plain.config.save_pretrained(folder)

    def finish(self, folder: Path, beside: Path) -> None:
        """Puts what is kept of a finished run where it belongs.

        Args:
            folder: that `save` wrote; merged weights take the place of the adapter.
            beside: where the adapter then goes, if both are kept.
        """
        shutil.rmtree(beside, ignore_errors=True)
        if self.keeps == "adapter":
            return
        for name in (WEIGHTS, CONFIGURATION):
            (folder / name).unlink()
        self.merged().save_pretrained(folder)
        if self.keeps == "both":
            aside = beside.with_name(f".{beside.name}")
            shutil.rmtree(aside, ignore_errors=True)
            self.save(aside)
            files.sync_folder(aside)
            aside.rename(beside)

    def load(self, folder: Path) -> None:
        """Reads what `save` wrote, to the bit.

        Raises:
            RunDirectoryError: the folder holds other weights than this model's adapter has.
        """
        from peft import set_peft_model_state_dict
        from safetensors.torch import load_file

        found = load_file(folder / WEIGHTS)
        expected = self.state()
        odd = [name for name in expected.keys() ^ found.keys()]
        odd += [name for name in expected.keys() & found.keys() if expected[name].shape != found[name].shape]
        if odd:
            shown = ", ".join(sorted(odd)[:5]) + (f", … ({len(odd)} in all)" if len(odd) > 5 else "")
            message = f"{folder} lacks, or has beyond this adapter: {shown}; delete it, and the one before it is used"
            raise RunDirectoryError(message)
        set_peft_model_state_dict(self.wrapped, found)

    def merged(self) -> PreTrainedModel:
        """A copy on the CPU, with the adapter in its weights and no trace of peft; the model stays as it is."""
        from peft.tuners.tuners_utils import BaseTunerLayer
        from peft.utils import ModulesToSaveWrapper

        model = self.plain
        memo: dict[int, Any] = {
            id(parameter): nn.Parameter(parameter.detach().to("cpu", copy=True), requires_grad=False)
            for parameter in model.parameters()
        }
        # Accelerate hangs a forward of its own on a model in mixed precision, which cannot be copied.
        hung: dict[str, Any] = {
            name: model.__dict__.pop(name) for name in ("forward", "_original_forward") if name in model.__dict__
        }
        try:
            plain: Any = copy.deepcopy(model, memo).cpu()
        finally:
            model.__dict__.update(hung)
        # Not by peft's merge_and_unload: in 0.21 that of (IA)³ fails where a saved head has several layers.
        for name, module in list(plain.named_modules()):
            if isinstance(module, BaseTunerLayer):
                module.merge()
                plain.set_submodule(name, module.get_base_layer())
            elif isinstance(module, ModulesToSaveWrapper):
                plain.set_submodule(name, module.modules_to_save["default"])
        del plain.peft_config
        return plain
