import subprocess
import sys

import pytest

import ingest


@pytest.mark.parametrize("name", ingest.__all__)
def test_every_public_name_is_there(name):
    assert getattr(ingest, name) is not None


def test_no_name_is_public_that_is_not_listed():
    assert set(ingest._HOMES) == set(ingest.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        _ = ingest.Nonsense


def test_a_packager_imports_neither_the_daemons_server_nor_its_uploader():
    """It is started while players wait."""
    script = "import ingest.session.packager, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert {"aiohttp", "sqlite3", "structlog", "botocore", "av"}.isdisjoint(done.stdout.split())
