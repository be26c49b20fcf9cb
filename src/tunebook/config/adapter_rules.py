"""What cannot be combined with an adapter, and what then means something else: told from the configuration alone."""

from __future__ import annotations

import importlib.util

from tunebook.config import registry
from tunebook.config.schema import Config

LEAST_RATE = 1e-4
"""Below it an adapter hardly moves in a usual run; published recipes lie between 1e-4 and 1e-2."""
Finding = tuple[str, str]


def problems(config: Config) -> list[Finding]:
    """Every setting that an adapter cannot be used with. Groups that are None are not judged."""
    if not config.adapter or config.adapter.method == "none":
        return []
    at_input = _at_input(config)
    found = [*_at_input_problems(config)] if at_input else []
    if config.model:
        found += _model(config)
    if config.freezing:
        found += _freezing(config, at_input)
    if getattr(config.adapter.options, "bits", None):
        found += _quantized(config)
    return found


def notices(config: Config) -> list[str]:
    """What a user should know of an adapter's settings, as sentences for the log."""
    method, told = config.adapter.method, []
    if method == "none":
        return []
    if _at_input(config) and config.adapter.save == "both":
        told.append(f"adapter.method={method} cannot be merged into the weights: the adapter alone is saved")
    elif not _at_input(config) and config.adapter.save == "both" and _own_head(config):
        told.append("with model.head_widths the merged weights alone are saved: an adapter alone could not be loaded")
    rate = config.hyperparameters.learning_rate
    if rate is not None and rate < LEAST_RATE:
        told.append(
            f"hyperparameters.learning_rate={rate:g} is a rate for whole models; an adapter is usually trained with "
            "1e-4 to 1e-2"
        )
    return told


def _at_input(config: Config) -> bool:
    return bool(registry.load("adapter", config.adapter.method).STANDS == "input")


def _own_head(config: Config) -> bool:
    return config.model.head_widths is not None


def _at_input_problems(config: Config) -> list[Finding]:
    """Of a method that puts something in front of the text."""
    method = config.adapter.method
    found: list[Finding] = []
    if config.adapter.save == "merged":
        message = f"{method} is no part of any weight, so it cannot be merged; set adapter.save=adapter"
        found.append(("adapter.save", message))
    if config.task and "image" in registry.load("task", config.task.name).ROLES:
        found.append(("adapter.method", f"{method} reads texts, {config.task.name} has images; use adapter=lora"))
    if config.model and _own_head(config):
        message = f"{method} is saved alone, for a model that transformers builds; set model.head_widths=null"
        found.append(("adapter.method", f"{message}, or use adapter=lora"))
    if method == "prefix" and config.runtime and config.runtime.activation_checkpointing:
        message = "throws away the keys and values that adapter=prefix puts in front; set it to false"
        found.append(("runtime.activation_checkpointing", message))
    return found


def _model(config: Config) -> list[Finding]:
    found: list[Finding] = []
    if config.model.config is not None:
        message = "starts from scratch, and an adapter leaves the weights as they are; set adapter=none"
        found.append(("model.config", message))
    if _own_head(config) and config.adapter.save == "adapter" and not _at_input(config):
        message = "alone could not be loaded with model.head_widths; set adapter.save=merged"
        found.append(("adapter.save", message))
    return found


def _freezing(config: Config, at_input: bool) -> list[Finding]:
    found: list[Finding] = []
    freezing, method = config.freezing, config.adapter.method
    for key in ("norms", "biases", "embeddings"):
        if getattr(freezing, key) == "train":
            message = "under an adapter the weights of the backbone stay as they are; set it to policy, or adapter=none"
            found.append((f"freezing.{key}", message))
    if freezing.policy == "head_only":
        message = f"trains the head alone, so {method} has nowhere to go; use freezing=none, or adapter=none"
        found.append(("freezing.policy", f"head_only {message}"))
    elif at_input and freezing.policy in {"embeddings", "first_n", "last_n"}:
        message = (
            f"{freezing.policy} never trains the embeddings, and {method} stands in front of the first layer as they "
            "do; use freezing=none"
        )
        found.append(("freezing.policy", message))
    return found


def _quantized(config: Config) -> list[Finding]:
    """Of a base model in 4 bits."""
    found: list[Finding] = []
    if importlib.util.find_spec("bitsandbytes") is None:
        message = "needs the package bitsandbytes: pip install 'tunebook[qlora]'; or use adapter=lora"
        found.append(("adapter.bits", message))
    if config.runtime and config.runtime.use_cpu:
        found.append(("adapter.bits", "needs a GPU, and runtime.use_cpu=true; use adapter=lora"))
    if config.adapter.save != "adapter":
        message = "merged into weights of 4 bits an adapter is rounded; set adapter.save=adapter"
        found.append(("adapter.save", message))
    return found
