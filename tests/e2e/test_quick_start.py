"""The quick start, followed to the letter, but for the ports and for the copy of the sources."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.guides import mismatches, steps
from tests.support.processes import assert_all_gone, free_ports, running

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "quick-start.md"
_READY_S = 120.0
# Instead of a copy: a folder with links to what there is here, but with data of its own.
_GIT = """
git() {
  mkdir "$3"
  for name in "$CHECKOUT"/* "$CHECKOUT"/.venv; do
    [ "${name##*/}" = var ] || ln -s "$name" "$3/"
  done
}
"""


def test_readme_and_guide_begin_alike():
    readme, guide = next(steps(ROOT / "README.md")), next(steps(GUIDE))

    assert readme.script == guide.script


def test_every_block_of_the_quick_start_runs(tmp_path):
    http_port, rtmp_port = free_ports(2)
    others = {name: value for name, value in os.environ.items() if not name.startswith("GOLIVE_")}
    environment = {
        **others,
        "CHECKOUT": str(ROOT),
        "ARGS": f"--http-port {http_port} --rtmp-port {rtmp_port}",
    }
    start, demo, *rest = list(steps(GUIDE))
    cloned = start.script.replace("<this repository>", "repository")
    with running(["bash", "-euc", _GIT + cloned], environment, tmp_path) as server:
        server.wait_for("golive is running", _READY_S)
        folder = tmp_path / "golive"
        family = server.descendants()
        with running(["bash", "-euc", demo.script], environment, folder):
            for step in rest:
                script = step.script.replace("127.0.0.1:8080", f"127.0.0.1:{http_port}")
                done = subprocess.run(
                    ["bash", "-euc", script],
                    env=environment,
                    cwd=folder,
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=60,
                )
                assert done.returncode == 0, done.stderr
                assert [*mismatches(step, done.stdout)] == []
        assert (folder / "var" / "golive.db").exists()
        os.killpg(server.pid, signal.SIGINT)  # Ctrl-C
        server.wait()
    assert len(rest) == 2
    assert_all_gone(family, 30.0)
