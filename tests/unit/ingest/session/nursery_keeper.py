"""A process with one thread that has a nursery, as the daemon does; says what its packagers are.

Each line that it is told takes a place in a pool of one packager and answers the process id.
"""

import asyncio
import sys

import structlog

from ingest import PackagerNursery
from ingest.session.packager_process import PackagerPool


async def main(nursery: PackagerNursery) -> None:
    pool = PackagerPool(1, nursery)
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while await lines.readline():
        lease = await pool.take("s_1")
        print(lease.pid, flush=True)
        async for _ in lease.messages():
            pass
        print("ended", await lease.end(), flush=True)
    await pool.close()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(main(PackagerNursery.fork()))
