"""The wheel is all that it takes: it runs where there is no checkout."""

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.support.releases import build_wheel, running_from, unpack

pytestmark = pytest.mark.e2e

CHECKOUT = Path(__file__).parents[2]
NEEDED = {
    "nginx": "controller/dev/nginx",
    "systemd": "controller/installation/systemd",
    "controller/web/static": "controller/web/static",
    "controller/api/templates": "controller/api/templates",
    "controller/stores/migrations/versions": "controller/stores/migrations/versions",
}
WHERE = """
import json, controller.cli, ingest
print(json.dumps([controller.cli.__file__, ingest.__file__]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def release(wheel, tmp_path):
    return unpack(wheel, tmp_path / "release", "7.0")


def test_it_has_every_file_that_is_read_at_run_time(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for source, target in NEEDED.items():
        files = [
            path.relative_to(CHECKOUT / source)
            for path in (CHECKOUT / source).rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        ]
        assert files, source
        assert {f"{target}/{name}" for name in files} <= names
    assert "controller/web/static/vendor/hls.min.js" in names
    assert not [name for name in names if "node_modules" in name or name.startswith("tests/")]


def test_the_same_sources_give_the_same_bytes(wheel, tmp_path):
    assert build_wheel(tmp_path).read_bytes() == wheel.read_bytes()


def test_it_runs_from_anywhere(release, tmp_path):
    def run(*arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], **running_from(release)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout

    where = [Path(name) for name in json.loads(run("-c", WHERE))]
    assert all(release in path.parents for path in where)
    assert "7.0" in run("-m", "controller.cli", "--version")
    assert tomllib.loads(run("-m", "controller.cli", "config")) == {}
    run("-m", "controller.cli", "migrate", "--data", str(tmp_path / "data"))
    assert (tmp_path / "data" / "golive.db").exists()
