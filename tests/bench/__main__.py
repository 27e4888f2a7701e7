"""`python -m tests.bench`: run the benchmarks, print their tables, write their JSON."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.bench.api import ApiBench
from tests.bench.held import HeldBench
from tests.bench.hub import HubBench
from tests.bench.ladder import LadderBench
from tests.bench.load import LoadBench
from tests.bench.packaging import PackagingBench
from tests.bench.registry import Bench, BenchFailed, Options
from tests.bench.report import table, write_json
from tests.bench.uploads import UploadsBench
from tests.bench.webrtc import WebRtcBench

BENCHES: tuple[Bench, ...] = (
    PackagingBench(),
    LoadBench(),
    HeldBench(),
    ApiBench(),
    HubBench(),
    UploadsBench(),
    LadderBench(),
    WebRtcBench(),
)
RESULTS = Path(__file__).parents[2] / "bench-results"
_SHARED_MEMORY = Path("/dev/shm")


def main(arguments: list[str]) -> int:
    """0 when everything ran; whether a bar was reached is told, not judged: machines differ."""
    names = [bench.name for bench in BENCHES]
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        epilog="; ".join(f"{bench.name}: {bench.about}" for bench in BENCHES),
    )
    parser.add_argument("names", nargs="*", help=f"which to run (all: {', '.join(names)})")
    parser.add_argument("--streams", type=int, default=20, help="streams per contestant")
    parser.add_argument("--seconds", type=float, default=20.0, help="measured time of each bench")
    parser.add_argument("--windows", type=int, default=4, help="windows that the time is cut into")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the JSON files")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.names) - set(names):
        parser.error(f"there is no bench called {', '.join(sorted(unknown))}")
    if chosen.streams < 1 or chosen.seconds <= 0 or chosen.windows < 1:
        parser.error("streams, seconds and windows must be positive")
    place = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else None
    failed = False
    for bench in BENCHES:
        if chosen.names and bench.name not in chosen.names:
            continue
        with tempfile.TemporaryDirectory(prefix="golive-bench-", dir=place) as work_dir:
            options = Options(
                streams=chosen.streams,
                seconds=chosen.seconds,
                windows=chosen.windows,
                work_dir=Path(work_dir),
                cache_dir=chosen.results,
            )
            print(f"{bench.name}: {bench.about}", flush=True)
            try:
                result = bench.run(options)
            except (BenchFailed, AssertionError) as error:  # what was waited for did not come
                print(f"FAILED {bench.name}: {error}", file=sys.stderr)
                failed = True
                continue
        print(table(result))
        print(f"     {write_json(result, options, chosen.results)}\n", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
