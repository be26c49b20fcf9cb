"""Methods against forgetting that a recipe cannot have, told from the configuration alone."""

from __future__ import annotations

from tunebook.config import registry
from tunebook.config.schema import Config

Finding = tuple[str, str]
FROM_START = ("l2_sp", "mixout")
"""Methods that hold the backbone's weights to those that training starts from."""


def problems(config: Config) -> list[Finding]:
    """Keys with what is wrong. Groups that are None are not judged."""
    wanted = _wanted(config)
    found = _shares_a_backbone(config, wanted)
    if not wanted:
        return found
    if config.adapter and config.adapter.method != "none":
        found += [(_key(name), _beside_adapter(name, config.adapter.method)) for name in FROM_START if name in wanted]
    if config.model and config.model.config is not None:
        message = "holds to the weights that training starts from, which are drawn at random here; set it to null"
        found += [(_key(name), message) for name in FROM_START if name in wanted]
    if config.freezing and _backbone_is_frozen(config) and _without_adapter(config):
        found += _nothing_moves(config, wanted)
    if config.runtime:
        found += _spread_out(config, wanted)
    return found


def _wanted(config: Config) -> list[str]:
    group = config.regularization
    return [] if group is None else [name for name in type(group).model_fields if getattr(group, name) is not None]


def _key(name: str) -> str:
    return f"regularization.{name}"


def _without_adapter(config: Config) -> bool:
    return config.adapter is not None and config.adapter.method == "none"


def _beside_adapter(name: str, method: str) -> str:
    return (
        f"holds the backbone's own weights to where training starts, and with adapter={method} they never leave it; set "
        f"regularization.{name}=null"
    )


def _backbone_is_frozen(config: Config) -> bool:
    freezing = config.freezing
    lets_move = "train" in (freezing.norms, freezing.biases, freezing.embeddings)
    return freezing.policy == "head_only" and not lets_move


def _nothing_moves(config: Config, wanted: list[str]) -> list[Finding]:
    message = "holds the backbone to where training starts, and freezing=head_only keeps it there; set it to null"
    group = config.regularization
    idle = [name for name in FROM_START if name in wanted and not getattr(getattr(group, name), "beta", 0)]
    found = [(_key(name), message) for name in idle]
    if "replay" in wanted:
        message = "teaches the backbone previous rows, and freezing=head_only lets no part of it learn; set it to null"
        found.append((_key("replay"), message))
    return found


def _shares_a_backbone(config: Config, wanted: list[str]) -> list[Finding]:
    """Adapters whose inputs are no part of the backbone, so that another head on it would not see them."""
    adapter = config.adapter
    if adapter is None or getattr(registry.load("adapter", adapter.method), "STANDS", "layers") == "layers":
        return []
    keys = ["evaluation.keep"] if config.evaluation and config.evaluation.keep else []
    keys += [_key("replay")] if "replay" in wanted else []
    message = (
        f"puts a previous head on this run's backbone, and adapter={adapter.method} stands in front of it, for this task "
        "alone; use an adapter that stands in layers, such as adapter=lora"
    )
    return [(key, message) for key in keys]


def _spread_out(config: Config, wanted: list[str]) -> list[Finding]:
    """Weights that lie in pieces over the processes."""
    found = []
    for field in ("fsdp", "deepspeed"):
        said = getattr(config.runtime, field, None)
        if said:
            message = f"cannot be combined with {', '.join(map(_key, wanted))}, which look at whole weights"
            found.append((f"runtime.{field}", message))
    return found
