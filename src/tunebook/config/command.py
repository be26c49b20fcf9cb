"""The command line: checks all of a command before anything slow, then hands it to Hydra."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from tunebook.config import folders, overrides, recipe_source
from tunebook.config.check import homes_of
from tunebook.config.compose import VERSION_BASE, Composed, compose_plain, plainly
from tunebook.config.places import COMMAND_LINE
from tunebook.config.schema import Config
from tunebook.errors import ConfigurationError, Problem, TunebookError

Check = Callable[[Composed], Config]


def launch(train: Callable[[Config, str], object], check: Check) -> None:
    """Run the command of this process: `sys.argv` as Hydra users know it.

    Args:
        train: what to do with each checked configuration (several under --multirun) and the command for it.
        check: turns a composed configuration into a typed one, or raises with every problem.
    """
    # DDP warns from C++, once a rank, of what transformers sets on purpose (find_unused_parameters).
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    with telling_mistakes():
        arguments, checked = _prepare(sys.argv[1:], check)
        sys.argv = [sys.argv[0], *arguments]
        recipe_source.register()

        def job(composed: DictConfig) -> None:
            with telling_mistakes():
                given = list(HydraConfig.get().overrides.task)
                config = checked.get(tuple(given))
                if config is None:  # Hydra writes the overrides of a sweep in its own way
                    choices = HydraConfig.get().runtime.choices
                    named = {key: str(value) for key, value in choices.items() if value is not None}
                    config = check(plainly(composed, named, overrides.read(given)))
                train(config, typed_command(given))

        conf = str(folders.conf_folder().resolve())
        hydra.main(config_path=conf, config_name="config", version_base=VERSION_BASE)(job)()


def typed_command(given: list[str]) -> str:
    """The command that a user would type for these overrides."""
    return " ".join(["accelerate launch run.py", *(shlex.quote(text.removeprefix("++")) for text in given)])


def is_main_process() -> bool:
    """Whether this process is the one that prints messages, by the launcher's RANK."""
    return int(os.environ.get("RANK", "0")) == 0


class telling_mistakes:
    """Prints a user's mistake without a traceback and ends with its exit code; only one rank prints."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, TunebookError):
            if is_main_process() or error.every_rank_speaks:
                print(error.describe(), file=sys.stderr)
            sys.stderr.flush()
            raise SystemExit(error.exit_code) from None
        if isinstance(error, KeyboardInterrupt):
            if is_main_process():
                message = "Interrupted. If the run had begun, the same command continues it from what is saved."
                print(message, file=sys.stderr)
            raise SystemExit(130) from None


def _prepare(arguments: list[str], check: Check) -> tuple[list[str], dict[tuple[str, ...], Config]]:
    """Check the overrides among the arguments.

    Returns:
        The arguments with the overrides made plain, and the checked configuration of each combination of them.
    """
    folders.recipe_folders()
    parsed, unknown = get_args_parser().parse_known_intermixed_args(arguments)
    if unknown:
        raise ConfigurationError([Problem(text, _dashes(text), COMMAND_LINE) for text in unknown])
    modes = [name for name in ("run", "multirun", "cfg", "info", "shell_completion") if getattr(parsed, name)]
    if len(modes) > 1:
        message = "one at a time, please"
        raise ConfigurationError(Problem(" and ".join(f"--{name}" for name in modes), message, COMMAND_LINE))
    if parsed.help or parsed.hydra_help or parsed.shell_completion or parsed.info is not None:
        return arguments, {}
    read = overrides.read(parsed.overrides)
    if not parsed.multirun:
        read = read.without_sweeps()
    checked: dict[tuple[str, ...], Config] = {}
    for plain in overrides.combinations(read.plain):
        one = overrides.read(plain)
        composed = compose_plain(replace(one, problems=(*read.problems, *one.problems)), plain)
        if not parsed.cfg:
            # Hydra hands its own settings to no job.
            settings = [text for text in plain if not text.lstrip("+~").startswith(("hydra.", "hydra/"))]
            checked[tuple(settings)] = check(composed)
        elif composed.problems:
            raise ConfigurationError(composed.problems)
    given = set(parsed.overrides)
    return [*(text for text in arguments if text not in given), *read.plain], checked


def _dashes(text: str) -> str:
    name, _, value = text.lstrip("-").partition("=")
    name = name.replace("-", "_")
    homes = homes_of(name)
    wanted = " or ".join(f"{key}={value or 'VALUE'}" for key in sorted(homes)) or "key=value"
    return f"settings are written without dashes: {wanted}"
