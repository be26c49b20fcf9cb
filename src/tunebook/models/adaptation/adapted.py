"""A model with an adapter: saves and loads the adapter only, merges it into a copy. Knows peft, not the Trainer."""

from __future__ import annotations

import copy
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from torch import nn
from transformers import PreTrainedModel

from tunebook import files
from tunebook.errors import RunDirectoryError, listed

if TYPE_CHECKING:
    import torch
    from peft import PeftModel

WEIGHTS, CONFIGURATION = "adapter_model.safetensors", "adapter_config.json"


@dataclass(frozen=True)
class Adapted:
    """A model and the adapter in it.

    Args:
        model: the one that trains. For a method in layers the transformers model itself, with peft's modules in it;
            else peft's wrapper, which adds the input.
        wrapped: peft's wrapper; the weights are the model's.
        fixed: names of the parameters that never train, as `model.named_parameters` has them.
        saves: what a finished run writes: the adapter, the merged weights, or both.
    """

    model: Any
    wrapped: PeftModel
    fixed: frozenset[str]
    saves: Literal["adapter", "merged", "both"]

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
        """The transformers model, with peft's modules in it where the method is in layers."""
        return self.wrapped.get_base_model()  # type: ignore[operator]

    def state(self) -> dict[str, torch.Tensor]:
        """What is saved of it: the adapter and the modules that are saved whole, by peft's names."""
        from peft import get_peft_model_state_dict

        # By itself peft would ask the Hub whether the vocabulary has grown.
        return get_peft_model_state_dict(self.wrapped, save_embedding_layers=False)

    def save(self, folder: Path) -> None:
        """Writes the adapter as `peft` does, and the model's configuration, which has the labels."""
        self.wrapped.save_pretrained(str(folder), save_embedding_layers=False)
        (folder / "README.md").unlink()  # an empty template
        self.plain.config.save_pretrained(folder)

    def finish(self, folder: Path, adapter_folder: Path) -> None:
        """Writes the final files of a finished run into `folder`, in which `save` has written the adapter.

        Merged weights take its place there; for `both` the adapter goes to `adapter_folder`.
        """
        shutil.rmtree(adapter_folder, ignore_errors=True)
        if self.saves == "adapter":
            return
        for name in (WEIGHTS, CONFIGURATION):
            (folder / name).unlink()
        self.merged().save_pretrained(folder)
        if self.saves == "both":
            aside = adapter_folder.with_name(f".{adapter_folder.name}")
            shutil.rmtree(aside, ignore_errors=True)
            self.save(aside)
            files.sync_folder(aside)
            aside.rename(adapter_folder)

    def load(self, folder: Path) -> None:
        """Reads what `save` wrote, to the bit.

        Raises:
            RunDirectoryError: the folder holds other weights than this model's adapter has.
        """
        from peft import set_peft_model_state_dict
        from safetensors.torch import load_file

        loaded = load_file(folder / WEIGHTS)
        shapes, loaded_shapes = ({(name, own.shape) for name, own in one.items()} for one in (self.state(), loaded))
        if different := sorted({name for name, _ in shapes ^ loaded_shapes}):
            shown = listed(different, 5)
            message = f"{folder} does not fit this adapter: {shown}; delete it to use the checkpoint before it"
            raise RunDirectoryError(message)
        set_peft_model_state_dict(self.wrapped, loaded)

    def merged(self) -> PreTrainedModel:
        """A copy on the CPU, with the adapter in its weights and no trace of peft; the model stays as it is."""
        from peft.tuners.tuners_utils import BaseTunerLayer
        from peft.utils import ModulesToSaveWrapper

        model = self.plain
        memo: dict[int, Any] = {
            id(parameter): nn.Parameter(parameter.detach().to("cpu", copy=True), requires_grad=False)
            for parameter in model.parameters()
        }
        # Accelerate sets a forward of its own in mixed precision, which cannot be copied.
        forwards: dict[str, Any] = {
            name: model.__dict__.pop(name) for name in ("forward", "_original_forward") if name in model.__dict__
        }
        try:
            plain: Any = copy.deepcopy(model, memo).cpu()
        finally:
            model.__dict__.update(forwards)
        # Not by peft's merge_and_unload: in 0.21 that of (IA)³ fails where a saved head has several layers.
        for name, module in list(plain.named_modules()):
            if isinstance(module, BaseTunerLayer):
                module.merge()
                plain.set_submodule(name, module.get_base_layer())
            elif isinstance(module, ModulesToSaveWrapper):
                plain.set_submodule(name, module.modules_to_save["default"])
        del plain.peft_config
        return plain
