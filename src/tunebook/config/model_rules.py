"""What the group `model` cannot ask for together, told from the configuration alone; knows no architecture."""

from __future__ import annotations

from tunebook.config.schema import Config

Finding = tuple[str, str]


def problems(config: Config) -> list[Finding]:
    """Keys that contradict each other, with what to do; groups that are None are not judged."""
    model = config.model
    if model is None:
        return []
    found: list[Finding] = []
    if model.config is not None:
        if model.drop_layers:
            message = "takes layers out of a checkpoint; a model from scratch gets its number of layers in model.config"
            found.append(("model.drop_layers", message))
        if model.reinit_layers:
            found.append(("model.reinit_layers", "of a model from scratch every layer is drawn anyway; set it to 0"))
        for name in model.dropout:
            if name in model.config:
                message = f"is said twice: model.config.{name} too; take one of them out"
                found.append((f"model.dropout.{name}", message))
    adapter = config.adapter
    if model.drop_layers and adapter and adapter.method != "none" and adapter.save != "merged":
        message = (
            f"{adapter.save} leaves an adapter to be loaded on the whole base model; with model.drop_layers set it"
        )
        found.append(("adapter.save", f"{message} to merged, or use adapter=none"))
    if model.reinit_layers and adapter and adapter.method != "none":
        message = "draws layers anew that an adapter leaves as they are; set it to 0, or use adapter=none"
        found.append(("model.reinit_layers", message))
    if model.reinit_layers and config.freezing and config.freezing.policy == "head_only":
        message = "draws layers anew that freezing=head_only never trains; set it to 0, or use freezing=last_n"
        found.append(("model.reinit_layers", message))
    return found
