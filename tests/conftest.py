"""What runs compute once and keep (`runtime.cache_dir`) stays inside the test session, its programs' too."""

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    before = os.environ.get("TUNEBOOK_CACHE")
    os.environ["TUNEBOOK_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["TUNEBOOK_CACHE"]
    else:
        os.environ["TUNEBOOK_CACHE"] = before
