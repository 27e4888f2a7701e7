"""A full machine: golive with many streams, and how late its parts become.

One contestant after the other has the machine to itself, with the same encoders, so that each may
show what it needs when it is not in anybody's way. The encoders are one process on the same
machine; its CPU is measured and told apart, and nothing that it takes is counted as a contestant's.
"""

import contextlib
import json
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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
from tests.bench.part_delays import part_delays
from tests.bench.registry import Bar, Options, Result, Row
from tests.support.processes import Running, wait_until

OWN, SERVER, PUSHER = "packager cores", "nginx cores", "encoders' cores"
PER_STREAM, RATIO = "added s/stream-min", "ratio"
MEMORY, MEMORY_RATIO = "PSS MiB/stream", "PSS ratio"
LATE, PARTS, DELAY = "late parts", "parts", "p99 ms"
COLUMNS = (OWN, SERVER, PUSHER, PER_STREAM, RATIO, MEMORY, MEMORY_RATIO, LATE, PARTS, DELAY)

_CPU_BAR, _MEMORY_BAR = 0.60, 1.0
_START_WAIT_S = 120.0
_SETTLE_S = 6.0
_MIB = 1 << 20
_LATE_S = 0.1
"""Half a part."""

_LISTED, _SENT = "listed.json", "sent.json"


@dataclass(frozen=True)
class _Measured:
    """CPU seconds per second, and what golive said of its parts."""

    own: float
    server: float
    pusher: float
    pss: int
    lateness: dict | None
    sends: list[int]
    delays_s: list[float]


class LoadBench:
    """Late parts, CPU and memory with as many streams as are asked for."""

    name = "load"
    about = "late parts, CPU and memory of many streams; alone, then ffmpeg and nginx alone"

    def run(self, options: Options) -> Result:
        """Each contestant in turn."""
        clip = clip_file(options.cache_dir)
        found = {}
        for start in (_golive, ingest_alone, ffmpeg_hls, nginx_hls_dash):
            with (
                start(options) as contestant,
                publisher(clip, [contestant], options, options.work_dir / _SENT) as encoders,
            ):
                wait_until(contestant.ready, _START_WAIT_S, f"{contestant.name} makes media")
                time.sleep(_SETTLE_S)  # a steady state cannot be observed, only given time
                found[contestant.name] = _measure(contestant, encoders, options)
                check_alive(contestant)
        return _result(options, found)


@contextlib.contextmanager
def _golive(options: Options) -> Iterator[Contestant]:
    with golive_packager(options, options.work_dir / _LISTED) as contestant:
        yield contestant


def _measure(contestant: Contestant, encoders: Running, options: Options) -> _Measured:
    groups = (contestant.packager_pids, contestant.server.pids, lambda: tree([encoders.pid]))
    before_lateness, before_sends = _lateness(contestant), _told(encoders)
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
    pss = pss_bytes(contestant.packager_pids())
    sends = [now - then for now, then in zip(_told(encoders), before_sends, strict=True)]
    delays_s = _delays_s(options, started_s) if lateness else []
    return _Measured(*cores, pss, lateness, sends, delays_s)


def _delays_s(options: Options, since_s: float) -> list[float]:
    """Of the parts of the measured time, in order of size."""
    live_root = options.work_dir / "golive" / "live"
    found = part_delays(live_root, options.work_dir / _LISTED, options.work_dir / _SENT)
    return sorted(one.delay_s for one in found if one.sent_s >= since_s)


def _lateness(contestant: Contestant) -> dict | None:
    """golive's own count, so far."""
    if contestant.name != GOLIVE:
        return None
    (daemon,) = contestant.packagers
    return _told(daemon)


def _told(process: Running) -> Any:
    """What a process prints when it is asked."""
    lines = len(process.out)
    process.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: len(process.out) > lines, 10, "it tells how late it is")
    return json.loads(process.out[-1])


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
            delays_s = measured.delays_s
            figures |= {
                LATE: sum(delay_s > _LATE_S for delay_s in delays_s),
                PARTS: len(delays_s),
                DELAY: delays_s[int(len(delays_s) * 0.99)] * 1000,
            }
        rows.append(Row(name, figures))
    golive = rows[2].figures
    return Result(
        bench=f"{LoadBench.name}-{options.streams}",
        columns=COLUMNS,
        rows=tuple(rows),
        bars=(
            Bar("parts listed half a part or more behind their last message", golive[LATE], 0),
            Bar("packaging CPU added, golive / ffmpeg", golive[RATIO], _CPU_BAR),
            Bar("memory per stream, golive / ffmpeg", golive[MEMORY_RATIO], _MEMORY_BAR),
        ),
        notes=(
            f"{options.streams} streams of 6 Mbit/s, {options.seconds:.0f} s for each in turn",
            "cores: CPU seconds per second of the packager's processes, its nginx, the encoders",
            "added: packager + its nginx - nginx alone; encoders are in no figure but their own",
            (
                f"late, p99: from the encoder's message that ends a part to its listing, through "
                f"nginx, spool and packager; late: more than {_LATE_S * 1000:.0f} ms; "
                f"the longest {found[GOLIVE].delays_s[-1] * 1000:.0f} ms"
            ),
            _spread(found[GOLIVE]),
        ),
    )


def _spread(golive: _Measured) -> str:
    lateness = golive.lateness or {}
    mean_ms = 1000 * lateness["total_s"] / max(1, lateness["parts"])
    return (
        f"golive's parts behind the best: mean {mean_ms:.1f} ms; {_counts(lateness['buckets'])}; "
        f"of that the encoders' own delay, by message: {_counts(golive.sends)}"
    )


def _counts(buckets: list[int]) -> str:
    """As shares, in percent; what is empty is left out."""
    bounds = [*(f"<={bound * 1000:g} ms" for bound in LATENESS_BOUNDS_S), "more"]
    total = max(1, sum(buckets))
    pairs = zip(bounds, buckets, strict=True)
    return " ".join(f"{bound} {100 * count / total:.2f}%" for bound, count in pairs if count)
