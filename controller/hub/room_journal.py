"""What rooms have counted and the store does not have yet, on disk: a crash loses none of it.

Each run of the daemon has a folder of its own, locked while it lives. What happens is appended as
a line; `taken` says which addition of the holder took up all of a room's lines before it. A
successor tells the store every addition that it finds: the store knows by their numbers which of
them it has.
"""

import fcntl
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from uuid import UUID, uuid4

import msgspec
import structlog

from controller.domain.room import ChatMessage, Leaving, RoomFigures, Visit

MOST_BYTES = 64 * 2**20
"""Of a journal whose store is away; what comes then is kept in memory alone, and counted."""

_NEW_FILE_BYTES = 2**20
_LAST_NUMBER = 2**31 - 1
"""Of the addition that a run did not live to make."""

_LOCK = "lock"


@dataclass(frozen=True, slots=True)
class Reaction:
    """One reaction; `at_s` is its step of the recording, if it has any."""

    emoji: str
    at_s: int | None = None


Record = Visit | Leaving | ChatMessage | Reaction


class Journal(Protocol):
    """Where rooms note what they count; none of its calls waits or raises.

    `holder` names this run of the daemon, never used again.
    """

    holder: str
    dropped: int

    def append(self, room: UUID, record: Record) -> None:
        """Note what has happened."""
        ...

    def taken(self, room: UUID, number: int) -> None:
        """The addition `number` takes up all that was noted of the room before."""
        ...

    def turn_page(self) -> int:
        """Answers the page that ends now, which `forget` can drop."""
        ...

    def forget(self, page: int) -> None:
        """The store has all that was noted up to that page."""
        ...

    def close(self, *, is_written: bool) -> None:
        """Let go; with everything in the store nothing is left for a successor."""
        ...

    def left_behind(self) -> Sequence["DeadJournal"]:
        """The journals of runs that have ended; each is this caller's alone until it is closed."""
        ...


class NoJournal:
    """For a daemon that may lose what came since its last tick."""

    def __init__(self) -> None:
        self.holder = uuid4().hex
        self.dropped = 0

    def append(self, room: UUID, record: Record) -> None:
        """See `Journal.append`."""

    def taken(self, room: UUID, number: int) -> None:
        """See `Journal.taken`."""

    def turn_page(self) -> int:
        """See `Journal.turn_page`."""
        return 0

    def forget(self, page: int) -> None:
        """See `Journal.forget`."""

    def close(self, *, is_written: bool) -> None:
        """See `Journal.close`."""

    def left_behind(self) -> Sequence["DeadJournal"]:
        """See `Journal.left_behind`."""
        return ()


class _Line(msgspec.Struct, omit_defaults=True):
    room: UUID
    visit: Visit | None = None
    leaving: Leaving | None = None
    message: ChatMessage | None = None
    reaction: Reaction | None = None
    taken: int = 0


@dataclass(slots=True)
class _Unmarked:
    """A room's lines that no addition has taken up."""

    visits: list[Visit] = field(default_factory=list)
    leavings: list[Leaving] = field(default_factory=list)
    messages: list[ChatMessage] = field(default_factory=list)
    reactions: Counter[str] = field(default_factory=Counter)
    moments: Counter[tuple[int, str]] = field(default_factory=Counter)

    @property
    def is_empty(self) -> bool:
        """Whether there are none."""
        return not any((self.visits, self.leavings, self.messages, self.reactions))

    def take(self, holder: str, number: int) -> RoomFigures:
        """The addition that these lines make."""
        figures = RoomFigures(
            viewers_now=None,
            peak_viewers=0,
            visits=tuple(self.visits),
            leavings=tuple(self.leavings),
            reactions=dict(self.reactions),
            reaction_moments=dict(self.moments),
            messages=tuple(self.messages),
            holder=holder,
            number=number,
        )
        for lines in (self.visits, self.leavings, self.messages, self.reactions, self.moments):
            lines.clear()
        return figures


class RoomJournal:
    """The `Journal` of this run in a folder of its own below `folder`; `dropped` counts what it
    could not keep.
    """

    def __init__(self, folder: Path) -> None:
        self.holder = uuid4().hex
        self.dropped = 0
        self._root = folder
        self._folder = folder / self.holder
        self._lock: int | None = None
        self._file: int | None = None
        self._files: list[Path] = []
        self._number = 0
        self._bytes = 0
        self._file_bytes = 0
        self._log = structlog.get_logger(__name__)

    def open(self) -> None:
        """Make the folder, locked before anybody can see it."""
        unseen = self._folder.with_name(f".{self._folder.name}")
        unseen.mkdir(parents=True, mode=0o700)
        self._lock = os.open(unseen / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unseen.rename(self._folder)

    def append(self, room: UUID, record: Record) -> None:
        """Note what has happened."""
        match record:
            case Visit():
                line = _Line(room, visit=record)
            case Leaving():
                line = _Line(room, leaving=record)
            case ChatMessage():
                line = _Line(room, message=record)
            case Reaction():
                line = _Line(room, reaction=record)
        self._write(line)

    def taken(self, room: UUID, number: int) -> None:
        """The addition `number` takes up all that was noted of the room before."""
        self._write(_Line(room, taken=number))

    def turn_page(self) -> int:
        """Note what comes in a new file, so that `forget` can drop what was; answers which."""
        if self._file is not None and (len(self._files) == 1 or self._file_bytes > _NEW_FILE_BYTES):
            os.close(self._file)
            self._file = None
        return self._number

    def forget(self, page: int) -> None:
        """The store has all that was noted up to that page."""
        for file in [file for file in self._files if _number(file) <= page]:
            if self._file is not None and _number(file) == self._number:
                continue
            with suppress(OSError):
                self._bytes -= file.stat().st_size
                file.unlink()
            self._files.remove(file)

    def close(self, *, is_written: bool) -> None:
        """Let go; with everything in the store nothing is left for a successor."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if is_written:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def left_behind(self) -> Sequence["DeadJournal"]:
        """The journals of runs that have ended; each is this caller's alone until it is closed."""
        found = []
        for folder in sorted(self._root.glob("[!.]*")):
            lock = _lock_of(folder)
            if lock is not None:
                found.append(DeadJournal(folder, lock))
        return found

    def _write(self, line: _Line) -> None:
        data = msgspec.json.encode(line) + b"\n"
        if self._lock is None or self._bytes + len(data) > MOST_BYTES:
            self.dropped += 1
            return
        try:
            if self._file is None:
                self._file = self._next_file()
            # Short of a full disk a file takes a line whole.
            written = os.write(self._file, data)
        except OSError as error:
            self._lose(error)
            return
        self._bytes += written
        self._file_bytes += written

    def _next_file(self) -> int:
        path = self._folder / f"{self._number + 1:08}"
        file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._number += 1
        self._files.append(path)
        self._file_bytes = 0
        return file

    def _lose(self, error: OSError) -> None:
        if self.dropped == 0:
            self._log.warning("room_journal_unwritten", reason=error.strerror)
        self.dropped += 1


class DeadJournal:
    """What a run has left behind; `close` it, in the end with `is_told`."""

    def __init__(self, folder: Path, lock: int) -> None:
        self._folder = folder
        self._lock = lock

    def additions(self) -> Iterator[tuple[UUID, RoomFigures]]:
        """Everything that was noted, by room and addition, in order."""
        holder = self._folder.name
        rooms: dict[UUID, _Unmarked] = {}
        for line in self._lines():
            room = rooms.setdefault(line.room, _Unmarked())
            if line.taken:
                yield line.room, room.take(holder, line.taken)
            if line.visit is not None:
                room.visits.append(line.visit)
            if line.leaving is not None:
                room.leavings.append(line.leaving)
            if line.message is not None:
                room.messages.append(line.message)
            if line.reaction is not None:
                room.reactions[line.reaction.emoji] += 1
                if line.reaction.at_s is not None:
                    room.moments[line.reaction.at_s, line.reaction.emoji] += 1
        for stream_id, room in rooms.items():
            if not room.is_empty:
                yield stream_id, room.take(holder, _LAST_NUMBER)

    def close(self, *, is_told: bool) -> None:
        """Let go of it, and remove it once the store knows all of it."""
        if is_told:
            shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._lock)

    def _lines(self) -> Iterator[_Line]:
        decoder = msgspec.json.Decoder(_Line)
        for file in sorted(self._folder.glob("[0-9]*")):
            for line in file.read_bytes().splitlines():
                # The last one may be half of one.
                with suppress(msgspec.DecodeError):
                    yield decoder.decode(line)


def _lock_of(folder: Path) -> int | None:
    """None for a journal whose run lives, or that another successor reads."""
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _number(file: Path) -> int:
    return int(file.name)
