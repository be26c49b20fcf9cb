"""How a base model is loaded in 4 bits, for an adapter to train on (QLoRA); knows nothing of adapters or of recipes."""

from __future__ import annotations

from typing import Any

import torch
from transformers import BitsAndBytesConfig, PreTrainedConfig

from tunebook.errors import ModelError, Problem
from tunebook.models.depth import find_depth
from tunebook.models.settings import without_weights


def require_gpu() -> None:
    """Refuses a machine without a GPU, before a model is loaded.

    Raises:
        ModelError: there is none.
    """
    if not torch.cuda.is_available():
        message = "a base model in 4 bits needs a GPU, and this machine shows none; use adapter=lora"
        raise ModelError(Problem("adapter.bits", message))


def in_4_bits(auto: Any, config: PreTrainedConfig) -> dict[str, Any]:
    """Arguments of `from_pretrained`: NF4 with double quantization (Dettmers et al. 2023, arXiv 2305.14314).

    The head is not quantized: it may not be in the checkpoint, and it trains.
    """
    head = find_depth(without_weights(auto, config)).head.parameter_names
    gpu = torch.cuda.is_available()
    quantization = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if gpu and torch.cuda.is_bf16_supported() else torch.float32,
        llm_int8_skip_modules=list(dict.fromkeys(name.split(".")[0] for name in head)) or None,
    )
    device = torch.device("cuda", torch.cuda.current_device()) if gpu else torch.device("cpu")
    return {"quantization_config": quantization, "device_map": {"": device}}
