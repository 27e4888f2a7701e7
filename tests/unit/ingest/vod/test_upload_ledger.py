"""The ledger's file: what is written stays, what is damaged is made anew."""

import os
import signal
import sqlite3
import subprocess
import sys

import pytest

from ingest.errors import LedgerUnavailable
from ingest.vod.upload_ledger import NewUpload, UploadLedger, UploadState

FILES = [NewUpload(f"{n}.m4s", f"vods/a/{n}.m4s", 10 * n) for n in range(5)]


@pytest.fixture
def ledger(tmp_path):
    ledger = UploadLedger(tmp_path / "data" / "uploads.db")
    yield ledger
    ledger.close()


def test_rows_are_claimed_oldest_first_and_by_stream(ledger):
    ledger.add("a", 0, 100, FILES)
    ledger.add("b", 0, 50, FILES[:1])
    claimed = [ledger.claim("a").name for _ in FILES]
    assert claimed == [one.name for one in FILES]
    assert ledger.claim("a") is None
    assert ledger.claim("b").stream_id == "b"
    assert (ledger.position("a"), ledger.position("b"), ledger.position("c")) == (100, 50, 0)


def test_a_file_has_one_row(ledger):
    assert ledger.add("a", 0, 100, FILES) == 5
    assert ledger.add("a", 50, 200, [*FILES, NewUpload("more", "vods/a/more", -1)]) == 1
    assert ledger.position("a") == 200


def test_the_stored_offset_is_that_of_the_oldest_that_is_missing(ledger):
    ledger.add("a", 0, 100, FILES[:2])
    ledger.add("a", 100, 200, FILES[2:])
    uploads = [ledger.claim("a") for _ in FILES]
    assert ledger.stored(uploads[4], 1, "x") == 0
    assert ledger.stored(uploads[0], 1, "x") == 0
    assert ledger.lost(uploads[1]) == 100
    ledger.failed(uploads[2])
    assert ledger.stored(uploads[3], 1, "x") == 100
    again = ledger.claim("a")
    assert (again.id, again.attempts) == (uploads[2].id, 1)
    assert ledger.stored(again, 1, "x") == 200
    assert ledger.count("a", UploadState.LOST) == 1


def test_what_is_stored_keeps_its_size_and_hash_until_it_is_forgotten(ledger):
    ledger.add("a", 0, 100, FILES[:1])
    ledger.stored(ledger.claim("a"), 7, "0f")
    assert ledger.hashes("a") == {"vods/a/0.m4s": (7, "0f")}
    ledger.forget("a")
    assert ledger.hashes("a") == {}
    assert ledger.position("a") == 0


def test_what_fails_for_ever_holds_nobody_up(ledger):
    ledger.add("a", 0, 100, FILES)
    for _ in range(10):
        upload = ledger.claim("a")
        assert upload.name == FILES[0].name
        ledger.failed(upload)
    assert [ledger.claim("a").name for _ in FILES] == [f.name for f in [*FILES[1:], FILES[0]]]


def test_a_damaged_file_is_set_aside(tmp_path):
    path = tmp_path / "uploads.db"
    path.write_bytes(b"not a database at all" * 1000)
    ledger = UploadLedger(path)
    assert ledger.add("a", 0, 100, FILES) == 5
    ledger.close()
    assert (tmp_path / "damaged-uploads.db").exists()


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "uploads.db").mkdir()
    with pytest.raises(LedgerUnavailable, match=r"uploads\.db"):
        UploadLedger(tmp_path / "uploads.db")


def test_a_full_disk_is_an_error_that_can_be_retried(ledger):
    def fill():
        for turn in range(1000):
            ledger.add(f"s{turn}", 0, 100, FILES)

    ledger._db.execute("PRAGMA max_page_count = 12")
    with pytest.raises(LedgerUnavailable) as caught:
        fill()
    assert caught.value.retryable
    assert isinstance(caught.value.__cause__, sqlite3.Error)
    assert ledger.position("s0") == 100


CHILD = """
import os, sys, pathlib
from ingest.vod.upload_ledger import NewUpload, UploadLedger
ledger = UploadLedger(pathlib.Path(sys.argv[1]))
for n in range(10**9):
    ledger.add("a", n, n + 1, [NewUpload(str(n), f"k{n}", -1)])
    ledger.stored(ledger.claim("a"), n, "x")
    os.write(1, b"%d\\n" % n)
"""


def test_what_was_told_survives_a_kill(tmp_path):
    path = tmp_path / "uploads.db"
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE)
    with child, child.stdout as lines:
        told = [int(next(lines)) for _ in range(200)]
        os.kill(child.pid, signal.SIGKILL)
        told += [int(line) for line in lines if line.endswith(b"\n")]
    ledger = UploadLedger(path)
    assert {f"k{n}" for n in told} <= set(ledger.hashes("a"))
    assert ledger.position("a") >= told[-1] + 1
    ledger.close()
