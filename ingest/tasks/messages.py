"""What a media task's process and its starter say to each other: one JSON object a line."""

from typing import Any, TypeAlias

import msgspec


class TaskOrder(msgspec.Struct, frozen=True, kw_only=True):
    """The one line that the process gets: what to do, and what it may use.

    target: `module:function`, called with `request` and a callable that takes the
    progress in percent; what it answers is JSON.
    """

    target: str
    request: dict[str, Any]
    memory_bytes: int
    cpu_s: int
    file_bytes: int


class TaskProgress(msgspec.Struct, frozen=True, kw_only=True, tag="progress", tag_field="type"):
    """How far the task is, in percent."""

    percent: float


class TaskDone(msgspec.Struct, frozen=True, kw_only=True, tag="done", tag_field="type"):
    """The task's answer; nothing follows."""

    answer: dict[str, Any]


class TaskRefused(msgspec.Struct, frozen=True, kw_only=True, tag="refused", tag_field="type"):
    """The media cannot be processed; nothing follows. See `MediaRefused`."""

    reason: str
    field: str
    message: str


class TaskOutOfMemory(msgspec.Struct, frozen=True, kw_only=True, tag="memory", tag_field="type"):
    """The task asked for more memory than it may have; nothing follows."""


FromTask: TypeAlias = TaskProgress | TaskDone | TaskRefused | TaskOutOfMemory
