"""The pool: turns between streams, pauses after failures, and nothing forgotten."""

import asyncio
import random

import pytest

from ingest.errors import LedgerUnavailable, ObjectStoreError, ObjectStoreRefused
from ingest.vod.back_off import BackOff
from ingest.vod.object_keys import HLS_PLAYLIST
from ingest.vod.upload_ledger import NewUpload, UploadLedger, UploadState
from tests.unit.ingest.vod.doubles import MemoryStore, uploading

WAIT_S = 20.0


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def ledger(tmp_path):
    return tmp_path / "uploads.db"


class Files:
    """Streams of numbered files."""

    def __init__(self, root):
        self.root = root

    async def add(self, uploader, stream, count, first=0):
        folder = self.root / stream
        folder.mkdir(exist_ok=True)
        uploads = []
        for number in range(first, first + count):
            (folder / f"{number}.m4s").write_bytes(f"{stream} {number}".encode())
            uploads.append(NewUpload(f"{number}.m4s", f"{stream}/{number}", -1))
        await uploader.open(stream, folder)
        await uploader.add(stream, first * 10, (first + count) * 10, uploads)


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


async def test_no_more_than_the_connections_are_used_and_all_arrives(files, ledger, store):
    store.open.clear()
    async with uploading(ledger, store, connections=3) as uploader:
        for stream in "abcde":
            await files.add(uploader, stream, 20)
        async with asyncio.timeout(WAIT_S):
            while store.at_once < 3:
                await asyncio.sleep(0)
        store.open.set()
        for stream in "abcde":
            await uploader.wait_stored(stream, WAIT_S)
            assert uploader.stored_offset(stream) == 200
    assert store.most_at_once == 3
    assert len(store.objects) == len(store.puts) == 100


async def test_a_stream_far_behind_keeps_no_other_waiting(files, ledger, store):
    async with uploading(ledger, store, connections=1) as uploader:
        store.open.clear()
        await files.add(uploader, "behind", 200)
        await files.add(uploader, "live", 3)
        store.open.set()
        await uploader.wait_stored("live", WAIT_S)
        assert uploader.waiting("behind") > 150
        await uploader.wait_stored("behind", WAIT_S)
    behind = [key for key in store.puts if key.startswith("behind")]
    assert behind == [f"behind/{number}" for number in range(200)], "oldest first"


async def test_everything_arrives_over_a_store_that_fails_often(files, ledger, store):
    """Some requests are not carried out, of some that are the answer is lost."""
    store.share_failing, store.share_answer_lost = 0.3, 0.1
    async with uploading(ledger, store) as uploader:
        for stream in "ab":
            await files.add(uploader, stream, 100)
        for stream in "ab":
            await uploader.wait_stored(stream, WAIT_S)
    assert len(store.objects) == 200
    assert len(store.puts) == 200, "what had arrived was not sent again"


async def test_a_stream_pauses_longer_with_each_failure(files, ledger, store):
    store.away = True
    patient = BackOff(random.Random(1), first_s=0.05, longest_s=30.0)
    async with uploading(ledger, store, connections=2, back_off=patient) as uploader:
        await files.add(uploader, "a", 50)
        with pytest.raises(ObjectStoreError, match="50 objects are yet to be stored"):
            await uploader.wait_stored("a", 0.5)
        assert store.tried < 12


async def test_a_refused_key_pauses_longest_and_is_taken_up_when_it_is_right(files, ledger, store):
    store.refuses = True
    async with uploading(ledger, store) as uploader:
        await files.add(uploader, "a", 3)
        with pytest.raises(ObjectStoreError, match="the key is wrong"):
            await uploader.wait_stored("a", 0.05)
        store.refuses = False
        await uploader.wait_stored("a", WAIT_S)
    assert len(store.objects) == 3


async def test_what_was_being_sent_when_the_process_died_is_not_sent_twice(files, ledger, store):
    first = UploadLedger(ledger)
    first.add("a", 0, 10, [NewUpload(f"{n}.m4s", f"a/{n}", -1) for n in range(3)])
    for _ in range(2):  # one had arrived, one had not
        first.claim("a")
    first._db.close()
    await files.add(NoUploader(), "a", 3)
    await store.put_bytes("a/0", b"a 0", HLS_PLAYLIST)
    async with uploading(ledger, store) as uploader:
        await uploader.open("a", files.root / "a")
        await uploader.wait_stored("a", WAIT_S)
    assert sorted(store.puts) == ["a/0", "a/1", "a/2"]


class NoUploader:
    """Takes nothing: only the files are wanted."""

    async def open(self, *_):
        return 0

    async def add(self, *_):
        return None


async def test_closing_in_the_middle_of_uploads_forgets_nothing(files, ledger, store):
    async with uploading(ledger, store) as uploader:
        store.open.clear()
        await files.add(uploader, "a", 20)
        while store.at_once < 4:
            await asyncio.sleep(0)
    store.open.set()
    async with uploading(ledger, store) as uploader:
        await uploader.open("a", files.root / "a")
        await uploader.wait_stored("a", WAIT_S)
    assert len(store.objects) == 20


async def test_a_ledger_that_cannot_be_written_for_a_while_forgets_nothing(files, ledger, store):
    """A full disk: what was stored meanwhile is looked up, not sent again."""
    async with uploading(ledger, store, connections=2) as uploader:
        real, failures = uploader._ledger.stored, 5

        def stored(*args):
            nonlocal failures
            if failures:
                failures -= 1
                raise LedgerUnavailable("database or disk is full")
            return real(*args)

        uploader._ledger.stored = stored
        await files.add(uploader, "a", 10)
        await uploader.wait_stored("a", WAIT_S)
        assert uploader.stored_offset("a") == 100
    assert sorted(store.puts) == sorted(f"a/{n}" for n in range(10))


async def test_a_playlist_is_tried_again_within_its_time(files, ledger, store):
    store.share_failing = 0.5
    async with uploading(ledger, store) as uploader:
        for number in range(20):
            await uploader.put_bytes(f"p{number}", b"#EXTM3U", HLS_PLAYLIST)
        store.refuses = True
        tried = store.tried
        with pytest.raises(ObjectStoreRefused):
            await uploader.put_bytes("p", b"#EXTM3U", HLS_PLAYLIST)
        assert store.tried == tried + 1
    assert len(store.objects) == 20


async def test_a_stream_that_is_forgotten_leaves_the_ledger(files, ledger, store, tmp_path):
    async with uploading(ledger, store) as uploader:
        for stream in ("a", "b"):
            await files.add(uploader, stream, 3)
            await uploader.wait_stored(stream, WAIT_S)
        await uploader.forget("a")
        (tmp_path / "live" / "c").mkdir(parents=True)
        await uploader.forget_missing(tmp_path / "live")
    left = UploadLedger(ledger)
    assert left.streams() == []
    assert left.count("b", UploadState.STORED) == 0
    left.close()


def test_pauses_double_up_to_a_bound_and_vary():
    back_off = BackOff(random.Random(1), first_s=1.0, longest_s=8.0)
    for failures, bound in ((1, 1.0), (2, 2.0), (4, 8.0), (400, 8.0)):
        waits = {back_off.wait_s(failures) for _ in range(50)}
        assert len(waits) > 10
        assert bound / 2 <= min(waits) <= max(waits) <= bound
    assert back_off.wait_s(1, asked_s=60.0) == 60.0
