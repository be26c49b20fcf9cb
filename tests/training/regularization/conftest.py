"""A finished run of a first task, made once for all tests of this folder."""

from __future__ import annotations

import pytest

from tests import two_tasks
from tunebook.run import RunResult


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return two_tasks.first(tmp_path_factory.mktemp("first"))
