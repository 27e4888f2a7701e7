"""The queue on huey: SQLite in the data folder, or Redis.

Its messages are wake-ups that name a job; JSON, because unpickling what somebody else could have
written would run it.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from huey import Huey, RedisHuey, SqliteHuey
from huey.consumer import Consumer
from huey.registry import Message
from huey.serializer import Serializer
from huey.storage import RedisStorage
from redis import ConnectionPool

QUEUE_FILE = "jobs.db"
_NAME = "golive"
_TASK = "look_at_job"
_REDIS_TIMEOUT_S = 5.0
_SQLITE_TIMEOUT_S = 5.0
_POLL_FIRST_S = 0.1
_POLL_LONGEST_S = 0.5


class _JsonMessages(Serializer):  # type: ignore[misc]
    """A wake-up as JSON: its id, its task, when it is due, the job."""

    def _serialize(self, data: Message) -> bytes:
        due = data.eta.isoformat() if data.eta else None
        return json.dumps([data.id, data.name, due, *data.args]).encode()

    def _deserialize(self, data: bytes) -> Message:
        message_id, name, due, job_id = json.loads(data)
        eta = datetime.fromisoformat(due) if due else None
        return Message(message_id, name, eta, 0, 0, None, (job_id,), {})


def open_huey(redis_url: str, data_dir: Path) -> Huey:
    """huey on Redis when `redis_url` names one, else on a SQLite file in the data folder.

    No connection to Redis is made before it is used. Raises ValueError for a URL that is none,
    OSError or sqlite3.Error when the file cannot be used.
    """
    logging.getLogger("huey").setLevel(logging.WARNING)
    common = {"name": _NAME, "results": False, "serializer": _JsonMessages()}
    if redis_url:
        pool = ConnectionPool.from_url(
            redis_url,
            socket_timeout=_REDIS_TIMEOUT_S,
            socket_connect_timeout=_REDIS_TIMEOUT_S,
            health_check_interval=30,
        )
        return RedisHuey(**common, connection_pool=pool)
    path = data_dir / QUEUE_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    return SqliteHuey(**common, filename=str(path), timeout=_SQLITE_TIMEOUT_S)


class HueyQueue:
    """Implements the domain's JobQueue; the worker's end is `consumer`.

    look_at: called in a thread with the job that a wake-up names; only a worker has one.
    """

    def __init__(self, huey: Huey, look_at: Callable[[UUID], None] | None = None) -> None:
        self._huey = huey
        self._look_at = look_at
        self._task: Any = huey.task(name=_TASK)(self._execute)
        self._log = structlog.get_logger(__name__)

    async def wake(self, job_id: UUID, delay_s: float = 0.0) -> None:
        """See `JobQueue.wake`. What does not reach the queue is found in the database later."""
        try:
            await asyncio.to_thread(self._enqueue, job_id, delay_s)
        except Exception as error:  # noqa: BLE001 - Redis' and SQLite's have no common ancestor
            self._log.warning("job_queue_away", job=str(job_id), error=type(error).__name__)

    async def is_empty(self) -> bool:
        """Whether no wake-up waits; False when the queue does not answer."""
        try:
            return bool(await asyncio.to_thread(self._huey.pending_count) == 0)
        except Exception as error:  # noqa: BLE001 - as above
            self._log.warning("job_queue_away", error=type(error).__name__)
            return False

    def consumer(self, workers: int) -> Consumer:
        """Threads that take wake-ups; `start` and `stop` are huey's."""
        return Consumer(
            self._huey,
            workers=workers,
            periodic=False,
            initial_delay=_POLL_FIRST_S,
            max_delay=_POLL_LONGEST_S,
            scheduler_interval=1,
        )

    def close(self) -> None:
        """Close the connections to the queue."""
        storage = self._huey.storage
        if isinstance(storage, RedisStorage):
            storage.pool.disconnect()
        storage.close()

    def _enqueue(self, job_id: UUID, delay_s: float) -> None:
        if delay_s > 0:
            self._task.schedule(args=(str(job_id),), delay=delay_s)
        else:
            self._task(str(job_id))

    def _execute(self, job_id: str) -> None:
        if self._look_at is not None:
            self._look_at(UUID(job_id))
