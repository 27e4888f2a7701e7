"""A running API for each test; most tests need one database, `both_apis` runs over each kind."""

import pytest

from tests.http.running_api import run_api
from tests.support.databases import (  # noqa: F401 - fixtures
    DatabaseFactory,
    database_factory,
    database_url,
)


@pytest.fixture(scope="session")
def sqlite_factory(tmp_path_factory):
    return DatabaseFactory("sqlite", tmp_path_factory.mktemp("http"), None)


@pytest.fixture
async def api(sqlite_factory):
    """The API over SQLite."""
    async with run_api(await sqlite_factory.fresh()) as running:
        yield running


@pytest.fixture
async def both_apis(database_url):  # noqa: F811
    """The API over SQLite, and again over PostgreSQL."""
    async with run_api(database_url) as running:
        yield running
