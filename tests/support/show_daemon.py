"""`golive serve` under a clock that the test holds: `python -m tests.support.show_daemon`.

GOLIVE_TEST_CLOCK names the file of its clock, GOLIVE_TEST_ROUNDS the socket at which the test
calls for the rounds of its rooms' upkeep.
"""

import asyncio
import os
import sys
from pathlib import Path

from controller.app import Instruments, serve
from controller.logs import configure_logging
from controller.settings import load_settings
from controller.supervision.notify import ManagerAddress, ServiceManager
from tests.support.held_time import DaemonTime

CLOCK = "GOLIVE_TEST_CLOCK"
ROUNDS = "GOLIVE_TEST_ROUNDS"


def main() -> int:
    time = DaemonTime(Path(os.environ.pop(CLOCK)), Path(os.environ.pop(ROUNDS)))
    configure_logging("json", "info", sys.stderr)
    manager = ServiceManager(ManagerAddress.of({}, os.getpid()))
    work = serve(
        load_settings(), manager=manager, load=load_settings, instruments=Instruments(time, time)
    )
    return asyncio.run(work)


if __name__ == "__main__":
    sys.exit(main())
