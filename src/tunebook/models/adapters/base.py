"""What an adapter method is made of, and where an adapter goes. Knows nothing of torch, of peft or of models.

An adapter method is a module `tunebook/models/adapters/NAME.py` (or an installed package's entry point
`adapter.NAME`) with a pydantic `class Options` and

- `STANDS`: `layers` for small weights added to those of single layers, which can be merged into them, or `input` for
  vectors that the whole backbone reads with the text, which cannot;
- `configuration(options, place) -> peft.PeftConfig`;
- for `layers`, `usual_targets(model_type) -> list[str] | None`: module names that the method is usually
  applied to in such a model; None: unknown, and every linear layer (else every convolution) is adapted.

The options of a method for `layers` have `target_modules: list[str] | None`. What peft is asked for beyond the
method's own options is the same for all of them and is in `tunebook.models.adaptation.insert`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Place:
    """Where an adapter goes, for one model.

    Args:
        shared: arguments that every `PeftConfig` takes: the task, the base model, the modules that are saved whole.
        targets: dotted names of the modules that get an adapter; empty for a method for the input.
        transposed: whether they keep their weights as (in, out), as GPT-2 does.
        model_type: of the backbone, as transformers names it.
        widths: of a token's embedding and of a layer's states; 0 for a model that reads no tokens.
    """

    shared: dict[str, Any]
    targets: tuple[str, ...]
    transposed: bool
    model_type: str
    widths: tuple[int, int]


def named(targets: tuple[str, ...], wanted: list[str]) -> list[str]:
    """The targets that one of the wanted names is, or is the end of: `query` for `…attention.self.query`."""
    return [target for target in targets if any(target == name or target.endswith(f".{name}") for name in wanted)]
