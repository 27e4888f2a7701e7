"""One browser and one clip for all; each module starts the servers that it needs."""

import os

import pytest

from tests.support.players import players
from tests.support.pushers import make_clip
from tests.support.servers import golive_server

LIVE_S = float(os.environ.get("GOLIVE_TEST_LIVE_S", "20"))
"""How long the streams of the main tests last; 60 for the full length."""


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="session")
def browser():
    with players() as started:
        yield started


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with golive_server(tmp_path_factory.mktemp("golive")) as started:
        yield started


@pytest.fixture(scope="session")
def live_s():
    return LIVE_S
