"""Look at a recipe's data without training, or at what its augmentation makes of the rows:

python scripts/audit.py +recipe=bert_sentiment
python scripts/audit.py +recipe=bert_sentiment dataset.path=./mine augmentation

The arguments are those of run.py; the bare word `augmentation` may stand anywhere among them. Of the model only the
tokenizer is loaded. audit.json and audit.html (or augmentation.html) go to run.output_dir/audits/<recipe>/, and with
run.name=NAME to a folder NAME in it, so that two audits of one recipe can be compared.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import yaml

from tunebook.check import check
from tunebook.config import registry
from tunebook.config.command import launch
from tunebook.config.folders import conf_folder, group_options
from tunebook.config.schema import Config
from tunebook.errors import ConfigurationError, Problem

AUGMENTATION = "augmentation"
SHOWN = 5


def folder_of(config: Config) -> Path:
    """The folder of a recipe's audit; of a named run, one of its own."""
    return Path(config.run.output_dir).expanduser() / "audits" / config.run.recipe / (config.run.name or "")


def task_of(config: Config) -> Any:
    """The recipe's task, with its options."""
    return registry.load("task", config.task.name).Task(config.task.options)


def audit_data(config: Config, command: str) -> None:
    """Prepare, tokenize, audit, print and write."""
    # Imported here so that mistakes and --help answer without waiting for the libraries.
    from tunebook.reporting.audit_page import JSON, PAGE, audit_table, write_audit
    from tunebook.run_audit import audit_recipe

    audit = audit_recipe(config)
    write_audit(folder_of(config), audit, config.run.recipe)
    print(audit_table(audit))
    for name, why in {PAGE: "to look at", JSON: "the numbers"}.items():
        print(f"  {folder_of(config) / name}   {why}")


def refuse_idle(config: Config) -> None:
    """Raise where no row would change, with what would fit the task."""
    method = config.augmentation.method
    if method != "none":
        return
    roles = set(task_of(config).columns)
    fitting = [name for name in registry.names("augmentation") if registry.load("augmentation", name).ROLES & roles]
    groups = [name for name in group_options("augmentation") if method_of(name) in fitting]
    message = f"{method} changes no row; for {config.task.name} there are augmentation={', '.join(groups)}"
    raise ConfigurationError(Problem("augmentation.method", message))


def method_of(group: str) -> str:
    """The method that an option of the group `augmentation` names; "" where it names none itself."""
    file = conf_folder() / AUGMENTATION / f"{group}.yaml"
    return yaml.safe_load(file.read_text(encoding="utf-8")).get("method", "")


def preview_augmentation(config: Config, command: str) -> None:
    """Show some training rows before and after augmentation."""
    refuse_idle(config)
    from tunebook.data.augmentation._preview import idle, preview
    from tunebook.data.prepare import prepare
    from tunebook.reporting.augmentation_page import PAGE, augmentation_table, write_augmentation

    method, seed = config.augmentation.method, config.hyperparameters.seed
    augmentation = registry.load("augmentation", method).Augmentation(config.augmentation.options, seed)
    data = prepare(config.dataset, task_of(config), config.cleaning)
    shown = preview(data, augmentation, seed, SHOWN)
    if not shown:
        message = f"{method} changes no row; name one that does, augmentation=…"
        raise ConfigurationError(Problem("augmentation.method", message))
    write_augmentation(folder_of(config), shown, config.run.recipe, method)
    print(augmentation_table(shown))
    if message := idle(data, augmentation):
        print(message)
    print(f"  {folder_of(config) / PAGE}   to look at")


def log_to_terminal() -> None:
    """Let Tunebook's log lines reach the terminal."""
    logger = logging.getLogger("tunebook")
    logger.setLevel(logging.WARNING)
    if not logger.handlers:
        logger.addHandler(logging.StreamHandler(sys.stderr))


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        raise SystemExit(0)
    log_to_terminal()
    command = audit_data
    if AUGMENTATION in sys.argv[1:]:
        sys.argv[1:] = [argument for argument in sys.argv[1:] if argument != AUGMENTATION]
        command = preview_augmentation
    launch(command, check)
