"""The JSON Schema of recipe files, generated from the same models that check them, for editors."""

from __future__ import annotations

from typing import Any

from tunebook.config import folders, registry, schema


def recipe_schema() -> dict[str, Any]:
    """A JSON Schema (draft 2020-12) that a recipe file fits. A recipe is a delta, so nothing is required."""
    definitions: dict[str, Any] = {}
    properties: dict[str, Any] = {"defaults": _defaults()}
    for group in schema.PLAIN:
        properties[group] = _group(schema.model_of(group).model_json_schema(), definitions)
    for group, (model, selector, kind) in schema.NAMED.items():
        merged = _group(model.model_json_schema(), definitions)
        merged["properties"].pop("options", None)
        for name in registry.names(kind):
            special = _group(registry.load(kind, name).Options.model_json_schema(), definitions)["properties"]
            # Two modules may have an option of one name (`dataset.train`: files, or one folder).
            both = merged["properties"].keys() & special.keys()
            alternatives = {key: {"anyOf": [merged["properties"][key], special[key]]} for key in both}
            merged["properties"] |= special | alternatives
        merged["properties"][selector] = {"enum": registry.names(kind)}
        properties[group] = merged
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tunebook recipe",
        "description": "Written by scripts/recipes.py schema; do not edit.",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": definitions,
    }


def _group(model_schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    definitions |= model_schema.pop("$defs", {})
    properties = {name: _nullable(value) for name, value in model_schema.get("properties", {}).items()}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _nullable(value: dict[str, Any]) -> dict[str, Any]:
    # Null means 'the default' in every recipe.
    value = {key: inner for key, inner in value.items() if key != "title"}
    description = {"description": value.pop("description")} if "description" in value else {}
    if "anyOf" in value and {"type": "null"} in value["anyOf"]:
        return {**value, **description}
    return {"anyOf": [value, {"type": "null"}], **description}


def _defaults() -> dict[str, Any]:
    overrides = [
        {
            "type": "object",
            "properties": {f"override /{group}": {"enum": [*folders.group_options(group), None]}},
            "required": [f"override /{group}"],
            "additionalProperties": False,
        }
        for group in folders.groups()
    ]
    return {"type": "array", "items": {"anyOf": [*overrides, {"const": "_self_"}]}}
