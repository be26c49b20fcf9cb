"""What an adapter method is made of, and where an adapter goes. Knows nothing of torch, of peft or of models.

An adapter method is a module `tunebook/models/adapters/NAME.py` (or an installed package's entry point
`adapter.NAME`) with a pydantic `class Options` and

- `POSITION`: `layers` for small weights added to those of single layers, which can be merged into them, or `input` for
  vectors that the whole backbone reads with the text, which cannot;
- `configuration(options, place) -> peft.PeftConfig`;
- for `layers`, `usual_targets(model_type) -> list[str] | None`: module names that the method is usually
  applied to in such a model; None: unknown, and every linear layer (else every convolution) is adapted.

The options of a method for `layers` have `target_modules: list[str] | None`. What peft is asked for beyond the
method's own options is the same for all of them and is in `tunebook.models.adaptation.insert`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunebook.config import registry
from tunebook.errors import Problem

if TYPE_CHECKING:
    from tunebook.config.schema import Config

USUAL_LEAST_RATE = 1e-4
"""Below it an adapter hardly moves in a usual run; published recipes use 1e-4 to 1e-2."""


@dataclass(frozen=True)
class Place:
    """Where an adapter goes, for one model.

    Args:
        shared: arguments that every `PeftConfig` takes: the task, the base model, the modules that are saved whole.
        targets: dotted names of the modules that get an adapter; empty for a method for the input.
        transposed: whether their weights have the shape (in, out), as GPT-2's do.
        model_type: of the backbone, as transformers names it.
        widths: of a token's embedding and of a layer's states; 0 for a model that reads no tokens.
    """

    shared: dict[str, Any]
    targets: tuple[str, ...]
    transposed: bool
    model_type: str
    widths: tuple[int, int]


def named(targets: Iterable[str], wanted: list[str]) -> list[str]:
    """The targets that one of the wanted names is, or is the end of: `query` for `…attention.self.query`."""
    return [target for target in targets if any(target == name or target.endswith(f".{name}") for name in wanted)]


def problems(config: Config) -> list[Problem]:
    """What no adapter can be combined with. A group that is None has problems of its own and is not looked at."""
    if not config.adapter or config.adapter.method == "none":
        return []
    at_input = registry.load("adapter", config.adapter.method).POSITION == "input"
    problems = _at_input(config) if at_input else []
    if config.model:
        problems += _model(config, at_input)
    if config.freezing:
        problems += _freezing(config, at_input)
    return problems


def notices(config: Config) -> list[str]:
    """What a user should know of an adapter's settings, as sentences for the log."""
    method = config.adapter.method
    if method == "none":
        return []
    sentences = []
    at_input = registry.load("adapter", method).POSITION == "input"
    if config.adapter.save == "both" and at_input:
        sentences.append(f"adapter.method={method} cannot be merged into the weights: the adapter alone is saved")
    elif config.adapter.save == "both" and config.model.head_widths is not None:
        sentences.append(
            "with model.head_widths the merged weights alone are saved: an adapter alone could not be loaded"
        )
    rate = config.hyperparameters.learning_rate
    if rate is not None and rate < USUAL_LEAST_RATE:
        sentences.append(
            f"hyperparameters.learning_rate={rate:g} is a rate for whole models; an adapter is usually trained with "
            "1e-4 to 1e-2"
        )
    return sentences


def _at_input(config: Config) -> list[Problem]:
    """What a method for the input cannot be combined with."""
    method = config.adapter.method
    problems: list[Problem] = []
    if config.adapter.save == "merged":
        message = f"{method} is no part of any weight, so it cannot be merged; set adapter.save=adapter"
        problems.append(Problem("adapter.save", message))
    task = config.task and registry.load("task", config.task.name).Task(config.task.options)
    if task and "image" in task.columns:
        message = f"{method} reads texts, {config.task.name} has images; use adapter=lora"
        problems.append(Problem("adapter.method", message))
    if config.model and config.model.head_widths is not None:
        message = f"{method} is saved alone, for a model that transformers builds; set model.head_widths=null"
        problems.append(Problem("adapter.method", f"{message}, or use adapter=lora"))
    keys = ["evaluation.retention"] if config.evaluation and config.evaluation.retention else []
    keys += ["regularization.replay"] if getattr(config.regularization, "replay", None) else []
    message = (
        f"puts a previous head on this run's backbone, and adapter={method} is in front of it, for this task alone; "
        "use an adapter inside layers, such as adapter=lora"
    )
    return problems + [Problem(key, message) for key in keys]


def _model(config: Config, at_input: bool) -> list[Problem]:
    model, save = config.model, config.adapter.save
    problems: list[Problem] = []
    if model.config is not None:
        message = "starts from scratch, and an adapter leaves the weights as they are; set adapter=none"
        problems.append(Problem("model.config", message))
    if model.head_widths is not None and save == "adapter" and not at_input:
        message = "alone could not be loaded with model.head_widths; set adapter.save=merged"
        problems.append(Problem("adapter.save", message))
    if model.drop_layers and save != "merged":
        message = f"{save} leaves an adapter to be loaded on the whole base model; with model.drop_layers set it"
        problems.append(Problem("adapter.save", f"{message} to merged, or use adapter=none"))
    if model.reinit_layers:
        message = "reinitializes layers that an adapter leaves as they are; set it to 0, or use adapter=none"
        problems.append(Problem("model.reinit_layers", message))
    return problems


def _freezing(config: Config, at_input: bool) -> list[Problem]:
    freezing, method = config.freezing, config.adapter.method
    message = "under an adapter the weights of the backbone stay as they are; set it to policy, or adapter=none"
    problems = [
        Problem(f"freezing.{key}", message)
        for key in ("norms", "biases", "embeddings")
        if getattr(freezing, key) == "train"
    ]
    if at_input and not getattr(registry.load("policy", freezing.policy), "TRAINS_EMBEDDINGS", True):
        message = (
            f"{freezing.policy} never trains the embeddings, and {method} is before the first layer as they are; use "
            "freezing=none"
        )
        problems.append(Problem("freezing.policy", message))
    return problems
