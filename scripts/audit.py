"""Look at a recipe's data without training, or at what its augmentation makes of the rows:

python scripts/audit.py +recipe=bert_sentiment
python scripts/audit.py +recipe=bert_sentiment dataset.path=./mine augmentation

The arguments are those of run.py. Of the model only the tokenizer is loaded. audit.json and audit.html (or
augmentation.html) go to run.output_dir/audits/<recipe>/.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from tunebook.check import check
from tunebook.config.command import launch
from tunebook.config.schema import Config
from tunebook.errors import ConfigurationError, Problem

AUGMENTATION = "augmentation"
SHOWN = 5


def folder_of(config: Config) -> Path:
    """Where the audit of a recipe lies."""
    return Path(config.run.output_dir).expanduser() / "audits" / config.run.recipe


def look_at_data(config: Config, command: str) -> None:
    """Prepare, tokenise, audit, print and write."""
    # Imported here so that mistakes and --help answer without waiting for the libraries.
    from datasets import Dataset

    from tunebook.config import registry
    from tunebook.data.audit.audit import audit
    from tunebook.data.audit.facts import encoded_lengths, facts_of
    from tunebook.data.prepare import prepare
    from tunebook.reporting.audit_page import JSON, PAGE, audit_table, write_audit
    from tunebook.training.build import layout_of

    module = registry.load("task", config.task.name)
    task = module.Task(config.task.options)
    data = prepare(config.dataset, module.ROLES, config.cleaning, task.answer.kind)
    lengths, processor = {}, None
    if "image" not in module.ROLES:
        processor = task.load_processor(config.model)
        kept = {name: split for name, split in data.splits.items() if isinstance(split, Dataset)}
        found = {name: encoded_lengths(split, task, processor) for name, split in kept.items()}
        lengths = {name: values for name, values in found.items() if values is not None}
    facts = facts_of(config, task.answer.kind, layout_of(config, 1).effective, lengths, processor)
    seen = audit(data, facts)
    write_audit(folder_of(config), seen, config.run.recipe)
    print(audit_table(seen))
    for name, why in {PAGE: "to look at", JSON: "the numbers"}.items():
        print(f"  {folder_of(config) / name}   {why}")


def look_at_augmentation(config: Config, command: str) -> None:
    """Show some training rows before and after augmentation."""
    from tunebook.config import registry
    from tunebook.data.augmentation._preview import preview
    from tunebook.data.prepare import prepare
    from tunebook.reporting.augmentation_page import PAGE, augmentation_table, write_augmentation

    seed = config.hyperparameters.seed
    augmentation = registry.load("augmentation", config.augmentation.method).Augmentation(
        config.augmentation.options, seed
    )
    module = registry.load("task", config.task.name)
    answer = module.Task(config.task.options).answer
    data = prepare(config.dataset, module.ROLES, config.cleaning, answer.kind)
    shown = preview(data, augmentation, seed, SHOWN)
    if not shown:
        message = f"{config.augmentation.method} changes no row; name one that does, augmentation=…"
        raise ConfigurationError(Problem("augmentation.method", message))
    write_augmentation(folder_of(config), shown, config.run.recipe, config.augmentation.method)
    print(augmentation_table(shown))
    print(f"  {folder_of(config) / PAGE}   to look at")


def speak() -> None:
    """Let Tunebook's log lines reach the terminal."""
    logger = logging.getLogger("tunebook")
    logger.setLevel(logging.WARNING)
    if not logger.handlers:
        logger.addHandler(logging.StreamHandler(sys.stderr))


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        raise SystemExit(0)
    speak()
    wanted = look_at_data
    if sys.argv[-1] == AUGMENTATION:
        sys.argv.pop()
        wanted = look_at_augmentation
    launch(wanted, check)
