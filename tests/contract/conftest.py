"""Stores over each kind of database; one suite for all."""

import pytest

from controller.stores.opening import open_stores
from tests.contract.store_world import World
from tests.http.running_api import FakeClock
from tests.support.databases import database_factory, database_url  # noqa: F401 - fixtures


@pytest.fixture
async def world(database_url):  # noqa: F811
    """Stores over a fresh database, and what tests put into them."""
    clock = FakeClock()
    stores = open_stores(database_url, clock)
    yield World(stores, clock, database_url)
    await stores.database.close()
