"""A full machine: golive with many streams, and how late its parts become.

One contestant after the other has the machine to itself, with the same encoders, so that each may
show what it needs when it is not in anybody's way. The encoders are one process on the same
machine; its CPU is measured and told apart, and nothing that it takes is counted as a contestant's.
"""

import json
import signal
import time
from dataclasses import dataclass

from ingest import LATENESS_BOUNDS_S
from tests.bench.clip import clip_file
from tests.bench.measure import cpu_between, cpu_ns, pss_bytes, tree
from tests.bench.packaging import (
    FFMPEG,
    GOLIVE,
    INGEST,
    NGINX,
    Contestant,
    check_alive,
    ffmpeg_hls,
    golive_packager,
    ingest_alone,
    nginx_hls_dash,
    publisher,
)
from tests.bench.registry import Bar, Options, Result, Row
from tests.support.processes import Running, wait_until

OWN, SERVER, PUSHER = "packager cores", "nginx cores", "encoders' cores"
PER_STREAM, RATIO = "added s/stream-min", "ratio"
MEMORY, MEMORY_RATIO = "PSS MiB/stream", "PSS ratio"
LATE, PARTS = "late parts", "parts"
COLUMNS = (OWN, SERVER, PUSHER, PER_STREAM, RATIO, MEMORY, MEMORY_RATIO, LATE, PARTS)

_CPU_BAR, _MEMORY_BAR = 0.60, 1.0
_START_WAIT_S = 120.0
_SETTLE_S = 6.0
_MIB = 1 << 20


@dataclass(frozen=True)
class _Measured:
    """CPU seconds per second, and what golive said of its parts."""

    own: float
    server: float
    pusher: float
    pss: int
    lateness: dict | None


class LoadBench:
    """Late parts, CPU and memory with as many streams as are asked for."""

    name = "load"
    about = "late parts, CPU and memory of many streams; alone, then ffmpeg and nginx alone"

    def run(self, options: Options) -> Result:
        """Each contestant in turn."""
        clip = clip_file(options.cache_dir)
        found = {}
        for start in (golive_packager, ingest_alone, ffmpeg_hls, nginx_hls_dash):
            with start(options) as contestant, publisher(clip, [contestant], options) as encoders:
                wait_until(contestant.ready, _START_WAIT_S, f"{contestant.name} makes media")
                time.sleep(_SETTLE_S)  # a steady state cannot be observed, only given time
                found[contestant.name] = _measure(contestant, encoders, options)
                check_alive(contestant)
        return _result(options, found)


def _measure(contestant: Contestant, encoders: Running, options: Options) -> _Measured:
    groups = (contestant.packager_pids, contestant.server.pids, lambda: tree([encoders.pid]))
    before_lateness = _lateness(contestant)
    started_s, before = time.monotonic(), [cpu_ns(group()) for group in groups]
    time.sleep(options.seconds)
    cores = [
        cpu_between(then, cpu_ns(group())) / (time.monotonic() - started_s)
        for then, group in zip(before, groups, strict=True)
    ]
    lateness = _lateness(contestant)
    if lateness and before_lateness:
        for count in ("parts", "late", "total_s"):
            lateness[count] -= before_lateness[count]
        pairs = zip(lateness["buckets"], before_lateness["buckets"], strict=True)
        lateness["buckets"] = [now - then for now, then in pairs]
    return _Measured(*cores, pss_bytes(contestant.packager_pids()), lateness)


def _lateness(contestant: Contestant) -> dict | None:
    """golive's own count, so far."""
    if contestant.name != GOLIVE:
        return None
    (daemon,) = contestant.packagers
    lines = len(daemon.out)
    daemon.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: len(daemon.out) > lines, 10, "it tells how late its parts are")
    return json.loads(daemon.out[-1])


def _result(options: Options, found: dict[str, _Measured]) -> Result:
    def added(name: str) -> float:
        """CPU seconds per stream-minute above an nginx that only receives."""
        measured = found[name]
        cores = measured.own + measured.server - found[INGEST].server
        return cores * 60 / options.streams

    rows = []
    for name in (INGEST, FFMPEG, GOLIVE, NGINX):
        measured = found[name]
        figures = {OWN: measured.own, SERVER: measured.server, PUSHER: measured.pusher}
        if name != INGEST:
            figures |= {PER_STREAM: added(name), RATIO: added(name) / added(FFMPEG)}
        if measured.pss:
            figures[MEMORY] = measured.pss / _MIB / options.streams
            figures[MEMORY_RATIO] = measured.pss / found[FFMPEG].pss
        if measured.lateness:
            figures |= {LATE: measured.lateness["late"], PARTS: measured.lateness["parts"]}
        rows.append(Row(name, figures))
    golive = rows[2].figures
    return Result(
        bench=f"{LoadBench.name}-{options.streams}",
        columns=COLUMNS,
        rows=tuple(rows),
        bars=(
            Bar("parts late by more than half of PART-TARGET", golive[LATE], 0),
            Bar("packaging CPU added, golive / ffmpeg", golive[RATIO], _CPU_BAR),
            Bar("memory per stream, golive / ffmpeg", golive[MEMORY_RATIO], _MEMORY_BAR),
        ),
        notes=(
            f"{options.streams} streams of 6 Mbit/s, {options.seconds:.0f} s for each in turn",
            "cores: CPU seconds per second of the packager's processes, its nginx, the encoders",
            "added: packager + its nginx - nginx alone; encoders are in no figure but their own",
            _spread(found[GOLIVE]),
        ),
    )


def _spread(golive: _Measured) -> str:
    lateness = golive.lateness or {}
    bounds = [*(f"{bound * 1000:g} ms" for bound in LATENESS_BOUNDS_S), "more"]
    counts = " ".join(
        f"<={bound}:{count}" for bound, count in zip(bounds, lateness["buckets"], strict=True)
    )
    mean_ms = 1000 * lateness["total_s"] / max(1, lateness["parts"])
    return f"golive's parts behind the best: mean {mean_ms:.1f} ms; {counts}"
