"""What packaging costs: golive, ffmpeg and nginx-rtmp side by side on the same clip.

Each contestant has an nginx-rtmp of its own with its own publications, all at once in the same
windows, so that a busy minute is busy for all. What a contestant adds is its own CPU and what its
nginx needs beyond one that only receives.
"""

import contextlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.clip import clip_file
from tests.bench.measure import cpu_between, cpu_ns, pss_bytes, tree
from tests.bench.registry import Bar, BenchFailed, Options, Result, Row
from tests.bench.rtmp_server import APP, PACKAGERS, RECORDER, RtmpServer, rtmp_server
from tests.support.processes import Running, wait_until

INGEST, FFMPEG, GOLIVE, NGINX = (
    "nginx alone",
    "ffmpeg hls fmp4",
    "golive hls+ll-hls+dash",
    "nginx hls+dash",
)
OWN, SERVER, SUM, RATIO = "packager", "nginx", "added", "ratio"
MEMORY, MEMORY_RATIO = "PSS MiB/stream", "PSS ratio"
COLUMNS = (OWN, SERVER, SUM, RATIO, MEMORY, MEMORY_RATIO)

_CPU_BAR, _MEMORY_BAR = 0.60, 1.0
_START_WAIT_S = 60.0
_SETTLE_S = 5.0
_MIB = 1 << 20


@dataclass
class Contestant:
    """What is measured: the nginx that feeds it, and the processes that package."""

    name: str
    server: RtmpServer
    packagers: list[Running]
    ready: Callable[[], bool]

    def packager_pids(self) -> list[int]:
        """All processes of the packager."""
        return tree(packager.pid for packager in self.packagers)


@dataclass(frozen=True)
class _Sample:
    """CPU seconds per stream-minute in one window."""

    own: float
    server: float


class PackagingBench:
    """CPU and memory of passthrough packaging, per stream."""

    name = "packaging"
    about = "CPU per stream-minute and memory of passthrough packaging against ffmpeg and nginx"

    def run(self, options: Options) -> Result:
        """Start everything, let it settle, measure the windows, check that media came out."""
        clip = clip_file(options.cache_dir)
        with contextlib.ExitStack() as stack:
            contestants = [
                stack.enter_context(start(options))
                for start in (ingest_alone, ffmpeg_hls, golive_packager, nginx_hls_dash)
            ]
            stack.enter_context(publisher(clip, contestants, options))
            for contestant in contestants:
                wait_until(contestant.ready, _START_WAIT_S, f"{contestant.name} makes media")
            time.sleep(_SETTLE_S)  # a steady state cannot be observed, only given time
            samples, memory = _measure(contestants, options)
            for contestant in contestants:
                check_alive(contestant)
        return _result(options, samples, memory)


def _names(options: Options) -> list[str]:
    return [f"s_{i:03d}" for i in range(options.streams)]


@contextlib.contextmanager
def ingest_alone(options: Options) -> Iterator[Contestant]:
    """nginx that receives, and nothing more."""
    with rtmp_server(options.work_dir / "ingest") as server:
        yield Contestant(INGEST, server, [], lambda: True)


@contextlib.contextmanager
def nginx_hls_dash(options: Options) -> Iterator[Contestant]:
    """nginx-rtmp's own packagers: HLS in MPEG-TS, DASH."""
    folder = options.work_dir / "nginx"
    with rtmp_server(folder, PACKAGERS) as server:

        def ready() -> bool:
            return all(
                (folder / "hls" / f"{name}.m3u8").exists()
                and (folder / "dash" / f"{name}.mpd").exists()
                for name in _names(options)
            )

        yield Contestant(NGINX, server, [], ready)


@contextlib.contextmanager
def ffmpeg_hls(options: Options) -> Iterator[Contestant]:
    """A process per stream, as in its documentation; it joins the idle publication."""
    folder = options.work_dir / "ffmpeg"
    with rtmp_server(folder) as server, contextlib.ExitStack() as stack:
        processes = []
        for name in _names(options):
            out = folder / name
            out.mkdir()
            argv = [
                "ffmpeg", "-nostdin", "-v", "error", "-rtmp_live", "live",
                "-i", server.url(name), "-c", "copy", "-f", "hls", "-hls_time", "2",
                "-hls_segment_type", "fmp4", "-hls_list_size", "6",
                "-hls_flags", "delete_segments", str(out / "index.m3u8"),
            ]  # fmt: skip
            processes.append(stack.enter_context(_running(argv)))

        def ready() -> bool:
            return all((folder / name / "index.m3u8").exists() for name in _names(options))

        yield Contestant(FFMPEG, server, processes, ready)


@contextlib.contextmanager
def golive_packager(options: Options, listed: Path | None = None) -> Iterator[Contestant]:
    """A daemon with its workers; nginx's recorder writes what they read. `listed`: see
    `tests.bench.golive_daemon`."""
    folder = options.work_dir / "golive"
    with rtmp_server(folder, RECORDER) as server:
        sessions = [
            {
                "stream_id": name,
                "publication": name,
                "url": server.url(name),
                "spool": str(folder / f"{name}.flv"),
            }
            for name in _names(options)
        ]
        listing = folder / "sessions.json"
        listing.write_text(json.dumps(sessions), encoding="utf-8")
        argv = [
            sys.executable, "-m", "tests.bench.golive_daemon",
            str(folder / "live"), str(folder / "objects"), str(listing),
            *([] if listed is None else [str(listed)]),
        ]  # fmt: skip
        with _running(argv) as daemon:
            yield Contestant(GOLIVE, server, [daemon], lambda: "live\n" in daemon.out)
            daemon.stop()
            _check_parts(daemon, options)


@contextlib.contextmanager
def publisher(
    clip: Path, contestants: list[Contestant], options: Options, sent: Path | None = None
) -> Iterator[Running]:
    """All encoders of all contestants, in one process. `sent`: see `tests.bench.rtmp_publisher`."""
    targets = [
        f"{contestant.server.port}/{APP}/{name}"
        for name in _names(options)
        for contestant in contestants
    ]
    argv = [sys.executable, "-m", "tests.bench.rtmp_publisher", str(clip), *targets]
    with _running(argv, {} if sent is None else {"GOLIVE_BENCH_SENT": str(sent)}) as process:
        process.wait_for("publishing")
        yield process
        if process.process.poll() is not None:
            raise BenchFailed(f"the publisher ended early:\n{process.text}")


@contextlib.contextmanager
def _running(argv: list[str], more: Mapping[str, str] | None = None) -> Iterator[Running]:
    process = Running(argv, {**os.environ, **(more or {})})
    try:
        yield process
    finally:
        process.kill()


def _measure(
    contestants: list[Contestant], options: Options
) -> tuple[list[dict[str, _Sample]], dict[str, int]]:
    """Windows one after the other, everybody in the same ones; memory at the end."""
    samples = []
    window_s = options.seconds / options.windows
    for _ in range(options.windows):
        started_s = time.monotonic()
        before = {c.name: (cpu_ns(c.packager_pids()), cpu_ns(c.server.pids())) for c in contestants}
        time.sleep(window_s)
        after = {c.name: (cpu_ns(c.packager_pids()), cpu_ns(c.server.pids())) for c in contestants}
        stream_minutes = (time.monotonic() - started_s) / 60 * options.streams
        samples.append(
            {
                name: _Sample(
                    own=cpu_between(before[name][0], after[name][0]) / stream_minutes,
                    server=cpu_between(before[name][1], after[name][1]) / stream_minutes,
                )
                for name in before
            }
        )
    return samples, {c.name: pss_bytes(c.packager_pids()) for c in contestants}


def _result(options: Options, samples: list[dict[str, _Sample]], memory: dict[str, int]) -> Result:
    def median(figure: Callable[[dict[str, _Sample]], float]) -> float:
        return statistics.median(figure(sample) for sample in samples)

    def added(sample: dict[str, _Sample], name: str) -> float:
        return sample[name].own + sample[name].server - sample[INGEST].server

    rows = [Row(INGEST, {SERVER: median(lambda s: s[INGEST].server)})]
    for name in (FFMPEG, GOLIVE, NGINX):
        figures = {
            OWN: median(lambda s, n=name: s[n].own),
            SERVER: median(lambda s, n=name: s[n].server),
            SUM: median(lambda s, n=name: added(s, n)),
            RATIO: median(lambda s, n=name: added(s, n) / added(s, FFMPEG)),
        }
        if memory[name]:
            figures[MEMORY] = memory[name] / _MIB / options.streams
            figures[MEMORY_RATIO] = memory[name] / memory[FFMPEG]
        rows.append(Row(name, figures))
    golive = rows[2].figures
    return Result(
        bench=PackagingBench.name,
        columns=COLUMNS,
        rows=tuple(rows),
        bars=(
            Bar("packaging CPU added, golive / ffmpeg", golive[RATIO], _CPU_BAR),
            Bar("memory per stream, golive / ffmpeg", golive[MEMORY_RATIO], _MEMORY_BAR),
        ),
        notes=(
            (
                f"{options.streams} streams, {options.windows} windows of "
                f"{options.seconds / options.windows:.1f} s, CPU seconds per stream-minute, medians"
            ),
            "added: packager + its nginx - nginx alone; ratio: added / ffmpeg's added",
            "memory of golive is the daemon's and all its workers'",
        ),
    )


def check_alive(contestant: Contestant) -> None:
    """BenchFailed when a process of the contestant's has ended."""
    for process in [contestant.server.process, *contestant.packagers]:
        if process.process.poll() is not None:
            raise BenchFailed(f"{contestant.name} ended early:\n{process.text}")


def _check_parts(daemon: Running, options: Options) -> None:
    """Every stream has as many parts as its time asks for: nothing was measured while asleep."""
    parts = json.loads(daemon.out[-1])
    least = options.seconds / 0.21
    if len(parts) != options.streams or any(len(r) != 2 or min(r) < least for r in parts):
        raise BenchFailed(f"golive made too few parts: {parts}")
