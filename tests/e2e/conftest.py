"""Each module starts the server that it needs."""

import os

import pytest

from tests.support.servers import golive_server

LIVE_S = float(os.environ.get("GOLIVE_TEST_LIVE_S", "20"))
"""How long the streams of the main tests last; 60 for the full length."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with golive_server(tmp_path_factory.mktemp("golive")) as started:
        yield started


@pytest.fixture(scope="session")
def live_s():
    return LIVE_S
