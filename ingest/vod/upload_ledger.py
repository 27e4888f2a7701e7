"""The upload ledger: which objects of which recordings are on the store, and which are not yet.

One SQLite file. A row is written before its object is sent, and is marked stored when the store
has confirmed it, so that after a crash at any moment nothing is forgotten. How far a stream's
journal has been read is kept beside its rows and changes with them.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import structlog

from ingest.errors import LedgerUnavailable

P = ParamSpec("P")
T = TypeVar("T")

_BUSY_S = 5.0
_TRIES_A_TURN = 10
"""After so many failures an object goes behind the others, so that it holds nobody up."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS recording (
    stream_id TEXT PRIMARY KEY,
    journal_offset INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS upload (
    id INTEGER PRIMARY KEY,
    stream_id TEXT NOT NULL,
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    size INTEGER NOT NULL,
    md5 TEXT NOT NULL DEFAULT '',
    state INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    turn INTEGER NOT NULL DEFAULT 0,
    journal_offset INTEGER NOT NULL,
    UNIQUE (stream_id, name)
);
CREATE INDEX IF NOT EXISTS upload_next ON upload (stream_id, state, turn, id);
CREATE INDEX IF NOT EXISTS upload_oldest ON upload (stream_id, state, id);
PRAGMA user_version = 1;
"""


class UploadState(IntEnum):
    """What has become of an object."""

    WAITING = 0
    SENDING = 1
    STORED = 2
    LOST = 3
    """Neither here nor on the store: somebody has removed the file."""
    LEFT_OUT = 4
    """Not to be stored: there was no space to record it."""


@dataclass(frozen=True, slots=True)
class NewUpload:
    """A file to be stored: its name in the stream's folder, its key, its size (-1: not told).

    `left_out`: it is part of the stream but not of its recording, and is entered to say so.
    """

    name: str
    key: str
    size: int
    left_out: bool = False


@dataclass(frozen=True, slots=True)
class Upload:
    """A row of the ledger. `attempts` counts those before this one."""

    id: int
    stream_id: str
    name: str
    key: str
    size: int
    attempts: int


def _translated(
    method: Callable[Concatenate["UploadLedger", P], T],
) -> Callable[Concatenate["UploadLedger", P], T]:
    """SQLite's errors as LedgerUnavailable."""

    @wraps(method)
    def call(self: "UploadLedger", /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(self, *args, **kwargs)
        except sqlite3.Error as error:
            raise LedgerUnavailable(f"the upload ledger: {error}") from error

    return call


class UploadLedger:
    """The ledger at `path`; one process at a time. Calls block: make them in one thread.

    Every method raises LedgerUnavailable. A change is in the file when its method returns, and
    survives the process; one that a power failure undoes is done again from the journal.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = _opened(path)
        except sqlite3.OperationalError as error:
            raise LedgerUnavailable(f"the upload ledger {path}: {error}") from error
        except sqlite3.DatabaseError:
            # Everything in it can be found out again from the journals and the store.
            structlog.get_logger().exception("upload_ledger_damaged", path=str(path))
            for damaged in path.parent.glob(f"{path.name}*"):
                damaged.rename(damaged.with_name(f"damaged-{damaged.name}"))
            self._db = _opened(path)

    @_translated
    def position(self, stream_id: str) -> int:
        """Bytes of the stream's journal whose files have rows."""
        query = "SELECT journal_offset FROM recording WHERE stream_id = ?"
        row = self._db.execute(query, (stream_id,)).fetchone()
        return int(row[0]) if row else 0

    @_translated
    def add(self, stream_id: str, start: int, end: int, uploads: Sequence[NewUpload]) -> int:
        """Take over the files that the journal announces from byte `start` to byte `end`;
        answers how many of them are new and wait."""
        rows = [(stream_id, u.name, u.key, u.size, start) for u in uploads if not u.left_out]
        left_out = [
            (stream_id, u.name, u.key, u.size, int(UploadState.LEFT_OUT), start)
            for u in uploads
            if u.left_out
        ]
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            before = self._db.total_changes
            self._db.executemany(
                "INSERT OR IGNORE INTO upload (stream_id, name, key, size, journal_offset)"
                " VALUES (?, ?, ?, ?, ?)",
                rows,
            )
            added = self._db.total_changes - before
            self._db.executemany(
                "INSERT OR IGNORE INTO upload (stream_id, name, key, size, state, journal_offset)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                left_out,
            )
            self._db.execute(
                "INSERT INTO recording (stream_id, journal_offset) VALUES (?, ?)"
                " ON CONFLICT (stream_id) DO UPDATE SET journal_offset = excluded.journal_offset",
                (stream_id, end),
            )
        return added

    @_translated
    def resume(self, stream_id: str) -> int:
        """What was being sent when the last process ended waits again; answers how many wait."""
        with self._db:
            self._db.execute(
                "UPDATE upload SET state = 0 WHERE stream_id = ? AND state = 1", (stream_id,)
            )
        return self.count(stream_id, UploadState.WAITING)

    @_translated
    def claim(self, stream_id: str) -> Upload | None:
        """The oldest object that waits, as being sent from now on; None when none waits."""
        with self._db:
            row = self._db.execute(
                "UPDATE upload SET state = 1, attempts = attempts + 1 WHERE id = ("
                " SELECT id FROM upload WHERE stream_id = ? AND state = 0 ORDER BY turn, id LIMIT 1"
                ") RETURNING id, stream_id, name, key, size, attempts - 1",
                (stream_id,),
            ).fetchone()
        return Upload(*row) if row else None

    @_translated
    def failed(self, upload: Upload) -> None:
        """It waits again, in its old place unless it has failed often."""
        turn = (upload.attempts + 1) // _TRIES_A_TURN
        with self._db:
            self._db.execute(
                "UPDATE upload SET state = 0, turn = ? WHERE id = ?", (turn, upload.id)
            )

    @_translated
    def stored(self, upload: Upload, size: int, md5: str) -> int:
        """The store has confirmed it; answers the stream's `stored_offset`."""
        with self._db:
            self._db.execute(
                "UPDATE upload SET state = 2, size = ?, md5 = ? WHERE id = ?",
                (size, md5, upload.id),
            )
        return self.stored_offset(upload.stream_id)

    @_translated
    def lost(self, upload: Upload) -> int:
        """It is nowhere any more; answers the stream's `stored_offset`."""
        with self._db:
            self._db.execute("UPDATE upload SET state = 3 WHERE id = ?", (upload.id,))
        return self.stored_offset(upload.stream_id)

    @_translated
    def stored_offset(self, stream_id: str) -> int:
        """Everything that the stream's journal announces before this byte is stored."""
        row = self._db.execute(
            "SELECT min(at) FROM ("
            " SELECT * FROM (SELECT journal_offset AS at FROM upload"
            "  WHERE stream_id = ?1 AND state = 0 ORDER BY id LIMIT 1)"
            " UNION ALL"
            " SELECT * FROM (SELECT journal_offset AS at FROM upload"
            "  WHERE stream_id = ?1 AND state = 1 ORDER BY id LIMIT 1))",
            (stream_id,),
        ).fetchone()
        return int(row[0]) if row[0] is not None else self.position(stream_id)

    @_translated
    def count(self, stream_id: str, state: UploadState) -> int:
        """The stream's objects in that state."""
        query = "SELECT count(*) FROM upload WHERE stream_id = ? AND state = ?"
        return int(self._db.execute(query, (stream_id, int(state))).fetchone()[0])

    @_translated
    def hashes(self, stream_id: str) -> dict[str, tuple[int, str]]:
        """Size and MD5 of the stream's stored objects by key; the MD5 empty where none is kept."""
        query = "SELECT key, size, md5 FROM upload WHERE stream_id = ? AND state = 2 ORDER BY id"
        return {key: (size, md5) for key, size, md5 in self._db.execute(query, (stream_id,))}

    @_translated
    def missing(self, stream_id: str) -> frozenset[str]:
        """Names of the stream's files that are in no recording: lost, or left out."""
        query = "SELECT name FROM upload WHERE stream_id = ? AND state IN (3, 4)"
        return frozenset(row[0] for row in self._db.execute(query, (stream_id,)))

    @_translated
    def streams(self) -> list[str]:
        """Streams that have rows."""
        return [row[0] for row in self._db.execute("SELECT stream_id FROM recording")]

    @_translated
    def forget(self, stream_id: str) -> None:
        """Drop the stream's rows: its recording is complete, its files are gone."""
        with self._db:
            self._db.execute("DELETE FROM upload WHERE stream_id = ?", (stream_id,))
            self._db.execute("DELETE FROM recording WHERE stream_id = ?", (stream_id,))

    @_translated
    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.executescript(_SCHEMA)
    except sqlite3.DatabaseError:
        db.close()
        raise
    return db
