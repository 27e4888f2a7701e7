"""`golive serve` under a clock that the test holds: `python -m tests.support.show_daemon`.

The time is the number in the file that GOLIVE_TEST_CLOCK names, in Unix seconds; it stands still
until the test writes another.
"""

import asyncio
import mmap
import os
import struct
import sys
from datetime import UTC, datetime
from pathlib import Path

from controller.app import Instruments, serve
from controller.hub.limits import HubLimits
from controller.hub.pacing import LoopPacer
from controller.logs import configure_logging
from controller.settings import load_settings
from controller.supervision.notify import ManagerAddress, ServiceManager

CLOCK = "GOLIVE_TEST_CLOCK"
TICK_S = 0.1
"""Of the machine's time: the room is looked after as often as that."""


class SharedTime(LoopPacer):
    """A clock and pacer in a file, for several processes."""

    def __init__(self, path: Path, start_s: float | None = None) -> None:
        if start_s is not None:
            path.write_bytes(struct.pack("d", start_s))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 8)

    def set(self, wall_s: float) -> None:
        self._memory[:] = struct.pack("d", wall_s)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.monotonic_s(), UTC)

    def monotonic_s(self) -> float:
        (wall_s,) = struct.unpack("d", self._memory)
        return wall_s


def main() -> int:
    time = SharedTime(Path(os.environ.pop(CLOCK)))
    configure_logging("json", "info", sys.stderr)
    instruments = Instruments(time, time, HubLimits(tick_s=TICK_S))
    manager = ServiceManager(ManagerAddress.of({}, os.getpid()))
    work = serve(load_settings(), manager=manager, load=load_settings, instruments=instruments)
    return asyncio.run(work)


if __name__ == "__main__":
    sys.exit(main())
