"""A store in memory, journals with files to them, and uploaders that do not dawdle."""

import asyncio
import hashlib
import random
from contextlib import asynccontextmanager

from ingest.errors import ObjectStoreError, ObjectStoreRefused
from ingest.journal_entries import InitWritten, PartWritten, SegmentWritten, init_name, segment_name
from ingest.ports import StoredObject
from ingest.vod.back_off import BackOff
from ingest.vod.journal import JournalWriter
from ingest.vod.upload_ledger import UploadLedger
from ingest.vod.uploader import Uploader

QUICK = BackOff(random.Random(1), first_s=0.001, longest_s=0.01)


class MemoryStore:
    """An ObjectStore that keeps what it is given, unless it is told to be away."""

    def __init__(self):
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.away = False
        self.refuses = False
        self.share_failing = 0.0
        self.share_answer_lost = 0.0
        self.chance = random.Random(3)
        self.puts: list[str] = []
        self.tried = 0
        self.at_once = 0
        self.most_at_once = 0
        self.open = asyncio.Event()
        self.open.set()

    async def put_file(self, key, path, kind):
        try:
            return await self.put_bytes(key, path.read_bytes(), kind)
        except FileNotFoundError as error:
            raise ObjectStoreError(f"{key} could not be stored") from error

    async def put_bytes(self, key, data, kind):
        self.tried += 1
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            await self.open.wait()
            await asyncio.sleep(0)
        finally:
            self.at_once -= 1
        if self.refuses:
            raise ObjectStoreRefused("the key is wrong")
        if self.away or self.chance.random() < self.share_failing:
            raise ObjectStoreError("the store is away")
        self.puts.append(key)
        self.objects[key] = (data, kind.content_type)
        if self.chance.random() < self.share_answer_lost:
            raise ObjectStoreError("the connection broke")
        return StoredObject(len(data), hashlib.md5(data).hexdigest())

    async def stat(self, key):
        if self.away:
            raise ObjectStoreError("the store is away")
        if key not in self.objects:
            return None
        data, _ = self.objects[key]
        return StoredObject(len(data), hashlib.md5(data).hexdigest())

    async def holds(self, key, path):
        if self.away:
            raise ObjectStoreError("the store is away")
        return key in self.objects and self.objects[key][0] == path.read_bytes()


@asynccontextmanager
async def uploading(path, store, connections=4, back_off=QUICK):
    """An uploader whose ledger is at `path`."""
    uploader = Uploader(UploadLedger(path), store, connections, back_off)
    try:
        yield uploader
    finally:
        await uploader.close()


def write(folder, entries, *, parts=True):
    """Append to the journal, and make the files that it tells of; those of parts if wanted."""
    for entry in entries:
        name, size = "", 20
        if isinstance(entry, InitWritten):
            name = f"{entry.rendition}/{init_name(entry.init)}"
        elif isinstance(entry, SegmentWritten) and entry.parts:
            name, size = f"{entry.rendition}/{segment_name(entry.msn)}", entry.size
        elif isinstance(entry, PartWritten) and parts:
            name = f"{entry.rendition}/part-{entry.number}.m4s"
        if name:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(name.encode().ljust(size, b"."))
    with JournalWriter(folder) as journal:
        journal.append(*entries)
