"""Runs a media task in a process of its own: bounded time and memory, killed when cancelled."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from ingest.errors import MediaRefused, TaskCrashed, TaskTooExpensive
from ingest.tasks.messages import (
    FromTask,
    TaskDone,
    TaskOrder,
    TaskProgress,
    TaskRefused,
)

_LINE_LIMIT = 1 << 20
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH")
# Each arena of glibc's reserves 64 MB of addresses, which is what RLIMIT_AS counts.
_FEW_ARENAS = {"MALLOC_ARENA_MAX": "2"}

_decoder: msgspec.json.Decoder[FromTask] = msgspec.json.Decoder(FromTask)


@dataclass(frozen=True, slots=True)
class TaskLimits:
    """What a task may use before it is ended.

    time_s: on the clock; the processor time is bounded by as much on each core.
    memory_bytes: address space, thread stacks included.
    file_bytes: the longest file that it may write.
    """

    time_s: float = 3600.0
    memory_bytes: int = 3 << 30
    file_bytes: int = 16 << 30


async def run_task(
    target: str,
    request: Mapping[str, Any],
    limits: TaskLimits,
    on_progress: Callable[[float], None],
) -> dict[str, Any]:
    """The answer of `target` (`module:function`) to `request`, both JSON.

    on_progress: called with percent. Cancelling kills the process. Raises MediaRefused as the task
    did, TaskTooExpensive when a limit was reached, TaskCrashed when the process ended otherwise.
    """
    process, reader, writer = await _spawn()
    try:
        writer.write(msgspec.json.encode(_order(target, request, limits)) + b"\n")
        async with asyncio.timeout(limits.time_s):
            message = await _last_message(reader, on_progress)
            if message is None:
                raise _ended(await process.wait())
    except TimeoutError as error:
        raise TaskTooExpensive(f"not done within {limits.time_s:g} s") from error
    finally:
        writer.close()
        await _end(process)
    match message:
        case TaskDone():
            return message.answer
        case TaskRefused():
            raise MediaRefused(message.reason, message.field, message.message)
        case _:
            raise _out_of_memory(limits)


def _order(target: str, request: Mapping[str, Any], limits: TaskLimits) -> TaskOrder:
    return TaskOrder(
        target=target,
        request=dict(request),
        memory_bytes=limits.memory_bytes,
        cpu_s=int(limits.time_s * (os.cpu_count() or 1)) + 1,
        file_bytes=limits.file_bytes,
    )


async def _spawn() -> tuple[asyncio.subprocess.Process, asyncio.StreamReader, asyncio.StreamWriter]:
    """The process, and our end of its channel. Its environment holds no setting, so no secret."""
    ours, theirs = socket.socketpair()
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ingest.tasks.child", str(theirs.fileno())),
            pass_fds=[theirs.fileno()],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            env={**kept, **_FEW_ARENAS},
            start_new_session=True,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    ours.setblocking(False)
    reader, writer = await asyncio.open_unix_connection(sock=ours, limit=_LINE_LIMIT)
    return process, reader, writer


async def _last_message(
    reader: asyncio.StreamReader, on_progress: Callable[[float], None]
) -> FromTask | None:
    """The answer, after the progress before it; None when the process ended without one."""
    with contextlib.suppress(ConnectionError):
        while (line := await reader.readline()).endswith(b"\n"):
            try:
                message = _decoder.decode(line)
            except msgspec.DecodeError as error:
                raise TaskCrashed("the media process wrote something that is no message") from error
            if not isinstance(message, TaskProgress):
                return message
            on_progress(message.percent)
    return None


async def _end(process: asyncio.subprocess.Process) -> None:
    """Make sure that it is gone, and whatever it started. Its answer, if any, has been read."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await asyncio.shield(process.wait())


def _ended(status: int) -> Exception:
    """What the exit status of a process that gave no answer tells."""
    if -status == signal.SIGXCPU:
        return TaskTooExpensive("the media process used up its processor time")
    if status >= 0:
        return TaskCrashed(f"the media process ended with status {status}")
    # The kernel's own SIGKILL means that the machine, not the task, ran out of memory.
    return TaskCrashed(
        f"the media process was ended by {signal.Signals(-status).name}",
        passing=-status == signal.SIGKILL,
    )


def _out_of_memory(limits: TaskLimits) -> TaskTooExpensive:
    return TaskTooExpensive(f"needs more than {limits.memory_bytes >> 20} MB of memory")
