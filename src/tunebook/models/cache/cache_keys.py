"""Keys of cache entries: a hash of everything that states depend on. Knows weights, encoded rows and versions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from typing import Any

import pyarrow as pa
import torch
import transformers
from datasets import Dataset

from tunebook.data import fingerprint
from tunebook.models.cache.boundary import Boundary

UNSEEN = {"id2label", "label2id", "problem_type", "_name_or_path", "architectures", "transformers_version"}
"""Settings of a model that do not change its backbone."""

LABEL = "label"


def backbone_key(model: Any, boundary: Boundary, ever: Collection[str], about: dict[str, Any]) -> str:
    """A hash of everything that states depend on except the rows: 64 hex digits."""
    settings = {
        name: value
        for name, value in model.config.to_dict().items()
        # Dropout does not change states, which are computed in evaluation mode.
        if name not in UNSEEN and not ("drop" in name and isinstance(value, float))
    }
    total = hashlib.sha256()
    facts = {
        "model": type(model).__name__,
        "settings": settings,
        "attention": getattr(model.config, "_attn_implementation", None),
        "boundary": [boundary.module, boundary.turn, str(boundary.place)],
        "transformers": transformers.__version__,
        **about,
    }
    trained = {id(parameter) for name, parameter in model.named_parameters() if name in ever}
    total.update(json.dumps(facts, sort_keys=True, default=str).encode())
    for name in (*boundary.front, *boundary.silent):
        module = model.get_submodule(name)
        for kind in (module.named_parameters, module.named_buffers):
            for own, tensor in kind(recurse=False):
                if id(tensor) not in trained:
                    total.update(f"{name}.{own} {tensor.dtype} {tuple(tensor.shape)}".encode())
                    total.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def split_key(backbone: str, encoded: Dataset, inputs: Collection[str], processor: Any) -> str:
    """A hash of the rows of a split and a backbone (by its key): 32 hex digits, the name of the entry."""
    total = hashlib.sha256(backbone.encode())
    columns = [name for name in sorted(inputs) if name in encoded.column_names]
    if columns:
        for name in columns:
            total.update(f"{name} {_of_column(encoded, name)}".encode())
    else:
        total.update(str(processor).encode())
        for digest in fingerprint.inputs(encoded.with_format(None), {LABEL}):
            total.update(digest)
    return total.hexdigest()[:32]


def _of_column(encoded: Dataset, name: str) -> str:
    """A hash of a column of numbers or of lists of them, the same for every chunking by Arrow."""
    lengths, values = hashlib.sha256(), hashlib.sha256()
    for batch in encoded.select_columns([name]).with_format("arrow").iter(batch_size=1000):
        column = batch[name].combine_chunks()
        while pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            lengths.update(column.value_lengths().to_numpy(zero_copy_only=False).astype("<i8").tobytes())
            column = column.flatten()
        values.update(column.to_numpy(zero_copy_only=False).tobytes())
    return f"{lengths.hexdigest()} {values.hexdigest()}"
