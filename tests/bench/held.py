"""How soon held playlist requests are answered once the part that they wait for is there.

A whole `golive dev` with one real stream; the requests go to the daemon's own socket, and in a
second row through nginx. A part's publication is the time of its file.
"""

import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measure import cpu_between, cpu_ns
from tests.bench.registry import Bar, BenchFailed, Options, Result, Row
from tests.support.pushers import Pusher, make_clip
from tests.support.servers import GoliveServer, golive_server

COLUMNS = ("requests", "median ms", "p99 ms", "max ms", "daemon us/request")
_BAR_MS = 50.0
_ROUNDS = 5
_PART = 6
"""Asked for in the segment after the open one: all requests are held before it comes."""


@dataclass(frozen=True)
class _Round:
    delays_ms: list[float]
    cpu_s: float


class HeldBench:
    """Delays of held playlist requests."""

    name = "held"
    about = "delay of held playlist requests behind the part's publication"

    def run(self, options: Options) -> Result:
        """Rounds with all requests held; the worst of each counts."""
        count = int(os.environ.get("GOLIVE_BENCH_HELD", "5000"))
        clip = make_clip(options.work_dir, size="640x360", video_kbps=800)
        rows = []
        with golive_server(options.work_dir / "data") as server:
            stream = server.live_stream("held")
            with Pusher(clip, server.push_url(stream.key), loop=True) as pusher:
                pusher.wait_frames(240)
                socket = str(server.data_dir / "run" / "daemon.sock")
                for name, address, encoding, held in (
                    ("daemon", socket, "", count),
                    ("daemon, gzip", socket, "gzip", count),
                    ("through nginx, gzip", f"127.0.0.1:{server.http_port}", "gzip", count),
                ):
                    rounds = _rounds(server, stream.id, address, held, encoding)
                    rows.append(_row(name, held, rounds))
            server.end(stream)
        worst = rows[0].figures["max ms"]
        return Result(
            bench=self.name,
            columns=COLUMNS,
            rows=tuple(rows),
            bars=(Bar("slowest answer of the daemon, ms", worst, _BAR_MS),),
            notes=(
                (
                    f"{_ROUNDS} rounds each; delay: from the time of the part's file to the client's "
                    "reading of the whole answer; medians over the rounds, the maximum over all"
                ),
                "the clients run on the same machine, in one process",
            ),
        )


def _rounds(
    server: GoliveServer, stream_id: str, address: str, count: int, encoding: str
) -> list[_Round]:
    path = f"/live/{stream_id}/video.m3u8"
    argv = [sys.executable, "-m", "tests.bench.held_clients", address, path, str(count), encoding]
    with _clients(argv) as clients:
        _expect(clients, "connected")
        return [_one_round(server, stream_id, clients) for _ in range(_ROUNDS)]


def _one_round(server: GoliveServer, stream_id: str, clients: subprocess.Popen) -> _Round:
    before = cpu_ns([server.daemon.pid])
    wanted = _next_msn(server, stream_id) + 1
    clients.stdin.write(f"_HLS_msn={wanted}&_HLS_part={_PART}\n")
    clients.stdin.flush()
    _expect(clients, "held")
    told = json.loads(clients.stdout.readline() or "{}")
    cpu_s = cpu_between(before, cpu_ns([server.daemon.pid]))
    if not told:
        raise BenchFailed(f"the clients ended: {clients.stderr.read()}")
    if told["refused"]:
        raise BenchFailed(f"{told['refused']} were not answered with 200")
    published_s = _published_s(server, stream_id, wanted)
    return _Round([(at_s - published_s) * 1000 for at_s in told["answered"]], cpu_s)


def _playlist(server: GoliveServer, stream_id: str, query: str = "") -> str:
    url = f"{server.url}/live/{stream_id}/video.m3u8{query}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def _next_msn(server: GoliveServer, stream_id: str) -> int:
    """A segment that has just begun, so that there is as much time in every round."""
    query = f"?_HLS_msn={_growing_msn(_playlist(server, stream_id))}"
    return _growing_msn(_playlist(server, stream_id, query))


def _growing_msn(playlist: str) -> int:
    first = int(re.search(r"MEDIA-SEQUENCE:(\d+)", playlist)[1])
    return first + playlist.count("#EXTINF")


def _published_s(server: GoliveServer, stream_id: str, msn: int) -> float:
    """When the awaited part's file was written."""
    folder = server.data_dir / "live" / stream_id
    for line in (folder / "journal.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if (
            entry["type"] == "part"
            and entry["rendition"] == "video"
            and (entry["msn"], entry["index"]) == (msn, _PART)
        ):
            return (folder / "video" / f"part-{entry['number']}.m4s").stat().st_mtime_ns / 1e9
    raise BenchFailed("the part that was asked for is not in the journal")


def _row(name: str, count: int, rounds: list[_Round]) -> Row:
    return Row(
        name,
        {
            "requests": count,
            "median ms": statistics.median(statistics.median(r.delays_ms) for r in rounds),
            "p99 ms": statistics.median(sorted(r.delays_ms)[int(count * 0.99)] for r in rounds),
            "max ms": max(max(r.delays_ms) for r in rounds),
            "daemon us/request": statistics.median(r.cpu_s for r in rounds) / count * 1e6,
        },
    )


def _expect(clients: subprocess.Popen, word: str) -> None:
    line = clients.stdout.readline().strip()
    if line != word:
        raise BenchFailed(f"the clients said {line!r}, not {word!r}: {clients.stderr.read()}")


@contextlib.contextmanager
def _clients(argv: list[str]) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    with process:
        try:
            yield process
        finally:
            process.kill()
