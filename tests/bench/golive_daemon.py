"""The smallest daemon around `ingest.SessionSupervisor`: a session for each stream it is told of.

`python -m tests.bench.golive_daemon LIVE_ROOT OBJECT_ROOT SESSIONS [LISTED]`. SESSIONS is a JSON
file. Says `live` when every stream has a part, on SIGUSR1 how late parts were so far, with the time
of each one's listing in the file LISTED, and at the end how many each rendition has.
"""

import asyncio
import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path

import structlog
import uvloop

from ingest import (
    Admission,
    LocalObjectStore,
    PackagerNursery,
    PackagingSettings,
    RecordingPlan,
    SessionBudget,
    SessionSpec,
    SessionSupervisor,
    Uploader,
    UploadLedger,
)
from tests.bench.part_delays import ListingClock

_DVR_WINDOW_S = 30.0
_START_WAIT_S = 60.0
_PLAIN_ARGUMENTS = 3


class _StillThere:
    """A PublicationProbe: benchmarks' encoders do not leave."""

    async def is_publishing(self, publication: str) -> bool:
        """Always."""
        del publication
        return True


async def main(arguments: list[str], nursery: PackagerNursery) -> None:
    """Serve the sessions until SIGTERM."""
    live_root = Path(arguments[0])
    ledger = UploadLedger(live_root.with_name("uploads.db"))
    uploader = Uploader(ledger, LocalObjectStore(Path(arguments[1])))
    supervisor = SessionSupervisor(
        live_root,
        uploader,
        _StillThere(),
        PackagingSettings(),
        _DVR_WINDOW_S,
        Admission(SessionBudget(total=10_000)),
        nursery,
    )
    await supervisor.warm()
    supervisor.warm_spare()
    specs = [
        SessionSpec(s["stream_id"], s["publication"], s["url"], Path(s["spool"]))
        for s in json.loads(Path(arguments[2]).read_text(encoding="utf-8"))
    ]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    for spec in specs:
        supervisor.start(spec, RecordingPlan(), reason="bench")
    windows = [supervisor.window(spec.stream_id) for spec in specs]
    started = await asyncio.gather(*(w.wait_started(_START_WAIT_S) for w in windows if w))
    print("live" if all(started) and len(started) == len(specs) else "not live", flush=True)

    named = {s.stream_id: w for s in specs if (w := supervisor.window(s.stream_id))}
    clock = ListingClock(named) if len(arguments) > _PLAIN_ARGUMENTS else None

    def tell_lateness() -> None:
        if clock is not None:
            clock.write(Path(arguments[_PLAIN_ARGUMENTS]))
        print(json.dumps(asdict(supervisor.totals().lateness)), flush=True)

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, tell_lateness)
    await stop.wait()
    parts = [
        [rendition.next_part for rendition in window.presentation().renditions]
        for window in windows
        if window
    ]
    print(json.dumps(parts), flush=True)
    await supervisor.close()
    await uploader.close()


if __name__ == "__main__":
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(30),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    uvloop.run(main(sys.argv[1:], PackagerNursery.fork()))
