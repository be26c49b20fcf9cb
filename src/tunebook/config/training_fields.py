"""The fields of the installed `TrainingArguments`, read from its source so that torch stays unimported.

Owns the split of those fields into what changes the model (`hyperparameters`), what changes only how it
runs (`runtime`) and what Tunebook sets itself. Knows nothing of Hydra.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

RUNTIME = frozenset(
    [
        "tf32",
        "activation_checkpointing",
        "activation_checkpointing_kwargs",
        "torch_compile",
        "torch_compile_backend",
        "torch_compile_mode",
        "use_liger_kernel",
        "liger_kernel_config",
        "torch_empty_cache_steps",
        "logging_strategy",
        "logging_steps",
        "logging_first_step",
        "log_on_each_node",
        "include_num_input_tokens_seen",
        "log_level",
        "log_level_replica",
        "disable_tqdm",
        "report_to",
        "project",
        "trackio_space_id",
        "trackio_bucket_id",
        "trackio_static_space_id",
        "per_device_eval_batch_size",
        "eval_accumulation_steps",
        "save_strategy",
        "save_steps",
        "save_total_limit",
        "full_determinism",
        "use_cpu",
        "dataloader_num_workers",
        "dataloader_pin_memory",
        "dataloader_persistent_workers",
        "dataloader_prefetch_factor",
        "dataloader_multiprocessing_context",
        "dataloader_in_order",
        "ddp_find_unused_parameters",
        "ddp_bucket_cap_mb",
        "ddp_broadcast_buffers",
        "ddp_static_graph",
        "ddp_backend",
        "ddp_timeout",
        "fsdp",
        "fsdp_config",
        "deepspeed",
        "parallelism_config",
        "accelerator_config",
        "debug",
        "skip_memory_metrics",
        "use_cache",
    ]
)

# What Tunebook decides, and what to write instead.
RESERVED: dict[str, str] = {
    "output_dir": "the run directory follows from the recipe: set run.output_dir or run.name",
    "run_name": "set run.name",
    "do_train": "a recipe always trains, then evaluates",
    "do_eval": "a recipe always trains, then evaluates",
    "do_predict": "a recipe always writes predictions",
    "resume_from_checkpoint": "the same command resumes by itself",
    "bf16": "set runtime.precision=bf16",
    "fp16": "set runtime.precision=fp16",
    "bf16_full_eval": "evaluation runs in the precision of training: set runtime.precision",
    "fp16_full_eval": "evaluation runs in the precision of training: set runtime.precision",
    "gradient_checkpointing": "renamed in transformers 5: use runtime.activation_checkpointing",
    "gradient_checkpointing_kwargs": "renamed in transformers 5: use runtime.activation_checkpointing_kwargs",
    "push_to_hub": "a run writes to its run directory only; upload its model/ folder with `hf upload`",
    "hub_token": "a run writes to its run directory only",
    "hub_private_repo": "a run writes to its run directory only",
    "hub_model_id": "a run writes to its run directory only",
    "hub_strategy": "a run writes to its run directory only",
    "hub_always_push": "a run writes to its run directory only",
    "hub_revision": "a run writes to its run directory only",
    "save_only_model": "checkpoints are always whole, so that a run can resume",
    "save_on_each_node": "one run has one run directory, on a file system that all nodes share",
    "enable_jit_checkpoint": "SIGTERM and SIGINT always save first",
    "restore_callback_states_from_checkpoint": "a resumed run always restores them",
    "ignore_data_skip": "a resumed run always continues with the rows that are next",
    "label_names": "the task sets them",
    "remove_unused_columns": "the task decides which columns reach the model",
    "length_column_name": "the task measures lengths",
    "include_for_metrics": "the task decides what metrics see",
    "batch_eval_metrics": "evaluation is memory-light already",
    "prediction_loss_only": "evaluation always scores the metrics",
    "eval_do_concat_batches": "evaluation keeps the dataset's order",
    "eval_use_gather_object": "evaluation keeps the dataset's order",
    "average_tokens_across_devices": "the loss is always a mean over the whole effective batch",
    "auto_find_batch_size": "set hyperparameters.effective_batch_size and a smaller per_device_train_batch_size",
    "dataloader_drop_last": "every training row is used in every epoch",
    "logging_nan_inf_filter": "a loss that is not a number stops the run",
    "local_rank": "the launcher sets it",
}

# transformers 4 names that transformers 5 no longer has (measured on 5.23: each raises TypeError).
RENAMED: dict[str, str] = {
    "evaluation_strategy": "renamed in transformers 5: use hyperparameters.eval_strategy",
    "warmup_ratio": "renamed in transformers 5: use hyperparameters.warmup_steps=0.1 (a float below 1 is a share)",
    "group_by_length": "renamed in transformers 5: use hyperparameters.train_sampling_strategy=group_by_length",
    "no_cuda": "renamed in transformers 5: use runtime.use_cpu",
    "tokenizer": "renamed in transformers 5; the model group loads the tokenizer",
    "overwrite_output_dir": "gone in transformers 5: use run.overwrite=true",
    "logging_dir": "gone in transformers 5: everything is in the run directory",
    "save_safetensors": "gone in transformers 5: weights are always saved as safetensors",
    "per_gpu_train_batch_size": "gone: use hyperparameters.per_device_train_batch_size",
    "per_gpu_eval_batch_size": "gone: use runtime.per_device_eval_batch_size",
    "adafactor": "gone in transformers 5: use hyperparameters.optim=adafactor",
    "sharded_ddp": "gone in transformers 5: use runtime.fsdp or an accelerate config file",
    "jit_mode_eval": "gone in transformers 5",
    "use_ipex": "gone in transformers 5",
    "half_precision_backend": "gone in transformers 5: use runtime.precision",
    "fp16_backend": "gone in transformers 5: use runtime.precision",
    "fp16_opt_level": "gone in transformers 5: use runtime.precision",
    "torchdynamo": "gone in transformers 5: use runtime.torch_compile_backend",
    "dispatch_batches": "gone in transformers 5",
    "split_batches": "gone in transformers 5: use hyperparameters.effective_batch_size",
    "include_tokens_per_second": "gone in transformers 5: use runtime.include_num_input_tokens_seen",
    "include_inputs_for_metrics": "gone in transformers 5; the task decides what metrics see",
    "use_mps_device": "gone in transformers 5: the device is chosen by itself",
    "past_index": "gone in transformers 5",
}


@dataclass(frozen=True)
class TrainingField:
    """One field of `TrainingArguments`: its name, and its type with enums as literals."""

    name: str
    type: Any


@functools.cache
def training_fields() -> dict[str, TrainingField]:
    """Every field of the installed `TrainingArguments`, by name, without importing torch."""
    folder = transformers_folder()
    enums = _enums(folder / "trainer_utils.py") | _enums(folder / "training_args.py")
    arguments = next(
        node
        for node in ast.parse((folder / "training_args.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name == "TrainingArguments"
    )
    return {
        node.target.id: TrainingField(node.target.id, _field_type(node.annotation, enums))
        for node in arguments.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def group_of(name: str) -> str | None:
    """The group a field belongs to: 'hyperparameters' or 'runtime'; None for one that is no user's to set."""
    if name not in training_fields() or name in RESERVED:
        return None
    return "runtime" if name in RUNTIME else "hyperparameters"


def transformers_folder() -> Path:
    """Where the installed transformers is.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    spec = importlib.util.find_spec("transformers")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("transformers is not installed; run `make setup`")
    return Path(next(iter(spec.submodule_search_locations)))


def _enums(source: Path) -> dict[str, tuple[str, ...]]:
    """String enums of a module: class name -> values."""
    enums = {}
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and any("Enum" in ast.unparse(base) for base in node.bases):
            values = [n.value for n in node.body if isinstance(n, ast.Assign)]
            enums[node.name] = tuple(str(v.value) for v in values if isinstance(v, ast.Constant))
    return enums


def _field_type(annotation: ast.expr, enums: dict[str, tuple[str, ...]]) -> Any:
    """The annotation as a type. An enum becomes the literal of its values (and its '| str' goes)."""
    parts = _union(annotation)
    names = [ast.unparse(part) for part in parts]
    is_enum = any(name in enums for name in names)
    types = [_plain_type(name, enums) for name in names if not (is_enum and name == "str")]
    return typing.Union[tuple(types)]  # noqa: UP007 - built from a list


def _union(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        node = ast.parse(node.value, mode="eval").body
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union(node.left) + _union(node.right)
    return [node]


def _plain_type(name: str, enums: dict[str, tuple[str, ...]]) -> Any:
    if name in enums:
        return Literal[enums[name]]
    known = {"int": int, "float": float, "bool": bool, "str": str, "None": None, "dict": dict, "list": list}
    base = name.split("[")[0]
    # A type that only transformers knows (ParallelismConfig, …) is left to TrainingArguments itself.
    return known.get(name, list[str] if name == "list[str]" else known.get(base, Any))
