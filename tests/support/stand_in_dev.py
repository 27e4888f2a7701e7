"""`golive dev` as it is, with the stand-in in place of the daemon.

usage: stand_in_dev.py DATA HTTP_PORT RTMP_PORT
"""

import os
import sys
from pathlib import Path

from controller.dev.command import run_dev
from controller.dev.errors import DevError
from controller.dev.plan import DevOptions
from controller.logs import configure_logging
from controller.settings import load_settings

STAND_IN = Path(__file__).with_name("stand_in_daemon.py")


def main(data: str, http_port: str, rtmp_port: str) -> int:
    configure_logging("json", "debug", sys.stderr)
    options = DevOptions(
        http_port=int(http_port),
        rtmp_port=int(rtmp_port),
        daemon_command=(sys.executable, str(STAND_IN)),
    )
    try:
        run_dev(Path(data), options, load_settings(data_dir=Path(data)), os.environ)
    except DevError as error:
        for line in error.lines:
            print(f"golive dev: {line}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
