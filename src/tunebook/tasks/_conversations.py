"""The forms in which conversations are written, and each read as messages. Knows columns and values, no tokenizer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

from tunebook.data.columns import Column
from tunebook.errors import DataError, Problem

Form = Literal["auto", "messages", "alpaca", "sharegpt", "prompt_completion"]
Messages = list[dict[str, str]]
"""Turns in order, each with `role` and `content`."""

NEEDED: dict[str, tuple[str, ...]] = {
    "messages": ("messages",),
    "alpaca": ("instruction", "output"),
    "sharegpt": ("conversations",),
    "prompt_completion": ("prompt", "completion"),
}
"""Form to the columns without which it is not there."""

COLUMNS = {
    "messages": Column("messages", required=False),
    "conversations": Column("messages", required=False),
    "system": Column("text", required=False, may_be_empty=True),
    "instruction": Column("text", required=False),
    "input": Column("text", required=False, may_be_empty=True),
    "output": Column("text", required=False, target=True),
    "prompt": Column("text", required=False),
    "completion": Column("text", required=False, target=True),
}
_SPEAKERS = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "assistant": "assistant",
    "system": "system",
    "tool": "tool",
}
"""Names of speakers in ShareGPT's form to roles of chat templates."""


def form_problem(columns: Collection[str], stated: Form) -> Problem | None:
    """Why conversations cannot be read from these columns; None: they can.

    Args:
        columns: of the rows, by role.
        stated: `task.form`.
    """
    fitting = [form for form, needed in NEEDED.items() if set(needed) <= set(columns)]
    if stated == "auto" and len(fitting) > 1:
        return Problem("task.form", f"the data has columns of several forms; set one of: {', '.join(fitting)}")
    if fitting and stated in {"auto", *fitting}:
        return None
    wanted = [" and ".join(needed) for form, needed in NEEDED.items() if stated in {"auto", form}]
    message = (
        f"the data has no column {' or '.join(wanted)}; name its columns, as in dataset.columns.output=COLUMN "
        f"(forms: {', '.join(NEEDED)})"
    )
    return Problem("task.form", message)


def form_of(columns: Collection[str], stated: Form) -> str:
    """The form of these columns, a key of `NEEDED`.

    Raises:
        DataError: none fits, or several do.
    """
    if problem := form_problem(columns, stated):
        raise DataError(problem)
    return stated if stated != "auto" else next(form for form in NEEDED if set(NEEDED[form]) <= set(columns))


def conversations(rows: Mapping[str, list[Any]], stated: Form) -> list[Messages]:
    """The messages of each row.

    Raises:
        DataError: the form is not clear, or rows cannot be read as messages, with their numbers.
    """
    form = form_of(rows, stated)
    read, problems = [], []
    for at, row in enumerate(rows["row"]):
        own = {name: rows[name][at] for name in COLUMNS if name in rows}
        try:
            read.append(_READERS[form](own))
        except ValueError as error:
            problems.append(Problem(f"row {row}", str(error)))
    if problems:
        raise DataError(problems)
    return read


def last_answer(messages: Messages) -> tuple[str, str]:
    """What comes before the last answer, as one text, and the answer; "" where there is none."""
    last = max((at for at, one in enumerate(messages) if one["role"] == "assistant"), default=len(messages))
    before = "\n".join(f"{one['role']}: {one['content']}" for one in messages[:last])
    return before, messages[last]["content"] if last < len(messages) else ""


def _with_system(row: Mapping[str, Any], messages: Messages) -> Messages:
    return [{"role": "system", "content": row["system"]}, *messages] if row.get("system") else messages


def _message(role: Any, content: Any) -> dict[str, str]:
    if not isinstance(role, str) or not isinstance(content, str):
        raise ValueError(f"a message must have a role and a text, not {role!r} and {type(content).__name__}")
    return {"role": role, "content": content}


def _messages(row: Mapping[str, Any]) -> Messages:
    return _with_system(row, [_message(one.get("role"), one.get("content")) for one in row["messages"]])


def _sharegpt(row: Mapping[str, Any]) -> Messages:
    for one in row["conversations"]:
        if one.get("from") not in _SPEAKERS:
            raise ValueError(f"no role for the speaker {one.get('from')!r}; known are {', '.join(_SPEAKERS)}")
    return _with_system(row, [_message(_SPEAKERS[one["from"]], one.get("value")) for one in row["conversations"]])


def _alpaca(row: Mapping[str, Any]) -> Messages:
    asked = "\n\n".join(text for text in (row["instruction"], row.get("input")) if text)
    return _with_system(row, [_message("user", asked), _message("assistant", row["output"])])


def _prompt_completion(row: Mapping[str, Any]) -> Messages:
    return _with_system(row, [_message("user", row["prompt"]), _message("assistant", row["completion"])])


_READERS = {
    "messages": _messages,
    "alpaca": _alpaca,
    "sharegpt": _sharegpt,
    "prompt_completion": _prompt_completion,
}
