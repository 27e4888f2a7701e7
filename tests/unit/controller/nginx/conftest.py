"""Both nginx as `golive dev` runs them, with the stand-in behind them."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.processes import Running, free_ports, running

SUPPORT = Path(__file__).parents[3] / "support"
STREAM = "11111111-2222-4333-8444-555555555555"


@dataclass
class Edge:
    data: Path
    http_port: int
    rtmp_port: int
    process: Running

    @property
    def live(self) -> Path:
        return self.data / "live" / STREAM

    @property
    def vods(self) -> Path:
        return self.data / "objects" / "vods"

    def holds(self, path: str) -> bool:
        """Whether the stand-in has begun to wait before it answers `path`."""
        return path in (self.data / "stand-in.jsonl").read_text()

    def write(self, path: Path, content: bytes = b"media") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    data = tmp_path_factory.mktemp("edge")
    http_port, rtmp_port = free_ports(2)
    argv = [sys.executable, str(SUPPORT / "stand_in_dev.py"), str(data), str(http_port)]
    with running([*argv, str(rtmp_port)]) as process:
        process.wait_for("golive is running")
        yield Edge(data, http_port, rtmp_port, process)
        assert process.stop() == 0
