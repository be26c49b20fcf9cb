"""What `benchmarks/startup.py` compares a run with: the shortest script of one's own that trains the same model.

Imports transformers' Trainer and datasets, reads and tokenizes the training rows, loads the model, makes one step.

usage: python benchmarks/bare_run.py MODEL_FOLDER ROWS.jsonl MAX_LENGTH
"""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any

import datasets
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)


class StopAfterOneStep(TrainerCallback):
    """Ends the process after the first optimizer step: what comes then is not measured."""

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        """End at once, without the clean-up of Python."""
        print("first step", flush=True)
        os._exit(0)


def main(model_folder: str, rows: str, max_length: str) -> None:
    """Train one step."""
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    data = datasets.Dataset.from_json(rows).class_encode_column("label").rename_column("label", "labels")
    data = data.map(lambda batch: tokenizer(batch["text"], truncation=True, max_length=int(max_length)), batched=True)
    model = AutoModelForSequenceClassification.from_pretrained(model_folder)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(folder, per_device_train_batch_size=32, use_cpu=True, report_to="none")
        collate = DataCollatorWithPadding(tokenizer)
        Trainer(model, arguments, collate, data, callbacks=[StopAfterOneStep()]).train()


if __name__ == "__main__":
    main(*sys.argv[1:])
