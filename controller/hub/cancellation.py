"""Cancellation that a library has eaten."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def heeding_cancellation() -> Iterator[None]:
    """Raise CancelledError at the block's end when the task was cancelled within and went on.

    Before Python 3.12 `asyncio.wait_for`, with which the Redis client sends, gives back its result
    or its error instead when a cancellation meets it (python/cpython#86296). A task that was asked
    to end once would then never do so.
    """
    task = asyncio.current_task()
    before = 0 if task is None else task.cancelling()
    try:
        yield
    except Exception as error:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError from error
        raise
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError
