"""Serves recipe files to Hydra as the group `recipe`, from any folder or path, each checked first."""

from __future__ import annotations

from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from tunebook.config import folders, recipe_file
from tunebook.config.overrides import RECIPE as GROUP
from tunebook.errors import ConfigurationError


class RecipeSource(ConfigSource):
    """A Hydra config source for `recipe/NAME`, `recipe/./file.yaml` and `recipe//absolute/file.yaml`.

    Every recipe passes through `load_config`, so none is composed unchecked.
    """

    @staticmethod
    def scheme() -> str:
        return "recipes"

    def load_config(self, config_path: str) -> ConfigResult:
        path = folders.find_recipe(_name(config_path))
        if problems := recipe_file.problems(path):
            raise ConfigurationError(problems, "this recipe")
        text = path.read_text(encoding="utf-8")
        return ConfigResult(
            config=OmegaConf.create(text),
            path=str(path.parent),
            provider=self.provider,
            header=ConfigSource._get_header_dict(text),
        )

    def available(self) -> bool:
        return True

    def is_group(self, config_path: str) -> bool:
        if config_path in {"", GROUP}:
            return True
        name = _name(config_path)
        return not folders.is_recipe_path(name) and any(
            recipe.startswith(f"{name}/") for recipe in folders.recipe_names()
        )

    def is_config(self, config_path: str) -> bool:
        if not config_path.startswith(f"{GROUP}/"):
            return False
        try:
            folders.find_recipe(_name(config_path))
        except ConfigurationError:
            return False
        return True

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        if config_path == "":
            return [GROUP] if results_filter in {None, ObjectType.GROUP} else []
        prefix = "" if config_path == GROUP else f"{_name(config_path)}/"
        below = [name.removeprefix(prefix) for name in folders.recipe_names() if name.startswith(prefix)]
        names = [name for name in below if "/" not in name and results_filter in {None, ObjectType.CONFIG}]
        names += [name.split("/")[0] for name in below if "/" in name and results_filter in {None, ObjectType.GROUP}]
        return sorted(set(names))


class RecipeSearchPath(SearchPathPlugin):
    """Puts the recipes on Hydra's search path."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        search_path.append(provider="tunebook", path=f"{RecipeSource.scheme()}://")


def register() -> None:
    """Tell Hydra of the recipe source; calling it again changes nothing."""
    Plugins.instance().register(RecipeSource)
    Plugins.instance().register(RecipeSearchPath)


def _name(config_path: str) -> str:
    name = config_path.removeprefix(f"{GROUP}/")
    return str(Path(name)) if name.startswith("/") else name
