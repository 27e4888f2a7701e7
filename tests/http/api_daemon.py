"""The API as a process of its own: `python -m tests.http.api_daemon DATABASE_URL`.

Prints its base address and serves until it is terminated.
"""

import asyncio
import logging
import signal
import subprocess
import sys
from contextlib import contextmanager

import structlog

from tests.http.running_api import run_api


async def main(database_url: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with run_api(database_url) as api:
        print(api.base, flush=True)
        await stop.wait()


@contextmanager
def api_daemon(database_url: str):
    """The base address of a daemon over the database."""
    command = [sys.executable, "-m", "tests.http.api_daemon", database_url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            base = process.stdout.readline().strip()
            assert base.startswith("http://"), "the daemon did not start"
            yield base
        finally:
            process.terminate()
            process.wait(30)


if __name__ == "__main__":
    # Never to standard output: nobody reads it after the first line, and a full pipe would block.
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    asyncio.run(main(sys.argv[1]))
