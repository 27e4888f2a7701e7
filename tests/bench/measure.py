"""CPU time and memory of process trees, from the kernel's own counters."""

import time
from collections.abc import Iterable
from pathlib import Path

import psutil


def tree(root_pids: Iterable[int]) -> list[int]:
    """The processes below `root_pids`, themselves included; those that have gone are left out."""
    found: dict[int, None] = {}
    for pid in root_pids:
        try:
            process = psutil.Process(pid)
            found |= dict.fromkeys([pid, *(c.pid for c in process.children(recursive=True))])
        except psutil.NoSuchProcess:
            continue
    return list(found)


def cpu_ns(pids: Iterable[int]) -> dict[int, int]:
    """User and system time of each process since its start, all threads, in nanoseconds."""
    times = {}
    for pid in pids:
        try:
            times[pid] = time.clock_gettime_ns(_process_clock(pid))
        except OSError:  # it has ended
            continue
    return times


def cpu_between(before: dict[int, int], after: dict[int, int]) -> float:
    """CPU seconds between two snapshots of `cpu_ns`; a process that is new counts from its start."""
    return sum(ns - before.get(pid, 0) for pid, ns in after.items()) / 1e9


def pss_bytes(pids: Iterable[int]) -> int:
    """Proportional set size: private pages, and a share of those that others map too."""
    total = 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += next(
            int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:")
        )
    return total


def _process_clock(pid: int) -> int:
    """The CPU-time clock of another process (clock_getcpuclockid(3))."""
    return ~pid << 3 | 2
