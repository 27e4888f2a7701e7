"""Sends what the upload ledger lists to the object store, a few objects at a time, for ever.

Oldest first within a stream, in turns between streams. A stream whose upload failed pauses, longer
each time; live delivery waits for nothing here. In memory is what is being sent, no more.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ParamSpec, TypeVar

import structlog

from ingest.errors import IngestError, LedgerUnavailable, ObjectStoreError
from ingest.ports import ObjectKind, ObjectStore, StoredObject
from ingest.vod.back_off import BackOff
from ingest.vod.object_keys import media_kind
from ingest.vod.removal import remove_recording
from ingest.vod.upload_lane import UploadLane
from ingest.vod.upload_ledger import NewUpload, Upload, UploadLedger

P = ParamSpec("P")
T = TypeVar("T")

_LOOK_AGAIN_S = 5.0
_ROW_COMES_S = 0.01


@dataclass(slots=True)
class UploadFigures:
    """What an uploader has done since it was made, for metrics: objects, and bytes where the
    name says so. `failed` and `refused` count attempts, `left_out` and `lost` are in no
    recording."""

    stored: int = 0
    stored_bytes: int = 0
    failed: int = 0
    refused: int = 0
    lost: int = 0
    left_out: int = 0


class Uploader:
    """`connections` uploads at a time from the ledger to the store.

    It owns the ledger: nobody else calls it while this runs.
    """

    def __init__(
        self,
        ledger: UploadLedger,
        store: ObjectStore,
        connections: int = 4,
        back_off: BackOff | None = None,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._connections = connections
        self._back_off = back_off or BackOff(random.Random())  # noqa: S311  no secret
        self._lanes: dict[str, UploadLane] = {}
        self._turns: deque[UploadLane] = deque()
        self._due = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._ledger_thread = ThreadPoolExecutor(1, "ledger")
        self._failures = 0  # in a row, whatever the stream
        self.figures = UploadFigures()
        self._log = structlog.get_logger()

    async def open(self, stream_id: str, folder: Path) -> int:
        """Send the stream's files from `folder` from now on; answers the ledger's `position`."""
        lane = self._lanes.get(stream_id)
        if lane is None:
            waiting = await self._in_ledger(self._ledger.resume, stream_id)
            stored = await self._in_ledger(self._ledger.stored_offset, stream_id)
            if (lane := self._lanes.get(stream_id)) is None:
                lane = UploadLane(stream_id, folder, waiting, stored)
                self._lanes[stream_id] = lane
                self._turns.append(lane)
                self._start()
                self._due.set()
        return await self._in_ledger(self._ledger.position, stream_id)

    async def add(self, stream_id: str, start: int, end: int, uploads: Sequence[NewUpload]) -> None:
        """Enter files of a stream that is open: those that its journal announces from byte
        `start` to byte `end`."""
        lane = self._lanes[stream_id]
        coming = sum(not upload.left_out for upload in uploads)
        lane.expect(coming)  # before the rows are there: nobody may think that all is stored
        try:
            added = await self._in_ledger(self._ledger.add, stream_id, start, end, uploads)
        except BaseException:
            lane.settle(coming)
            raise
        lane.settle(coming - added)
        self.figures.left_out += len(uploads) - coming
        if lane.open == 0:
            lane.stored_offset = end
        self._due.set()

    def stored_offset(self, stream_id: str) -> int:
        """Everything that the stream's journal announces before this byte is stored."""
        lane = self._lanes.get(stream_id)
        return lane.stored_offset if lane else 0

    def waiting(self, stream_id: str) -> int:
        """Objects of the stream that are yet to be stored."""
        lane = self._lanes.get(stream_id)
        return lane.open if lane else 0

    @property
    def backlog(self) -> int:
        """Objects of all open streams that are yet to be stored."""
        return sum(lane.open for lane in self._lanes.values())

    async def missing(self, stream_id: str) -> frozenset[str]:
        """Files of the stream that its recording lacks: lost before they were stored, or left
        out for want of space."""
        return await self._in_ledger(self._ledger.missing, stream_id)

    async def wait_stored(self, stream_id: str, timeout_s: float) -> None:
        """Wait until everything that was added is stored. Raises ObjectStoreError when it is not
        within `timeout_s`; it goes on all the same."""
        lane = self._lanes[stream_id]
        lane.not_before_s = 0.0
        self._due.set()
        try:
            async with asyncio.timeout(timeout_s):
                await lane.idle.wait()
        except TimeoutError:
            behind = f"{lane.open} objects are yet to be stored"
            raise ObjectStoreError(f"{behind}: {lane.last_error or 'the store is slow'}") from None

    async def put_bytes(
        self, key: str, data: bytes, kind: ObjectKind, timeout_s: float = 15.0
    ) -> StoredObject:
        """Store a playlist at once, tried again like everything else until `timeout_s` are over."""
        give_up_s = time.monotonic() + timeout_s
        failures = 0
        while True:
            try:
                return await self._store.put_bytes(key, data, kind)
            except ObjectStoreError as error:
                failures += 1
                wait_s = self._back_off.wait_s(failures, error.retry_after_s)
                if not error.retryable or time.monotonic() + wait_s > give_up_s:
                    raise
            await asyncio.sleep(wait_s)

    async def remove(self, stream_id: str, *, private: bool) -> None:
        """Drop the stream, and take everything of it from the store. Raises ObjectStoreError."""
        await self.forget(stream_id)
        removed = await remove_recording(self._store, stream_id, private=private)
        self._log.info("recording_removed", stream_id=stream_id, objects=removed)

    async def forget(self, stream_id: str) -> None:
        """Drop the stream, and what the ledger tells of it."""
        lane = self._lanes.pop(stream_id, None)
        if lane is not None:
            self._turns.remove(lane)
        await self._in_ledger(self._ledger.forget, stream_id)

    async def forget_missing(self, live_root: Path) -> None:
        """Drop what the ledger tells of streams that have no folder below `live_root`."""
        for stream_id in await self._in_ledger(self._ledger.streams):
            if not await asyncio.to_thread((live_root / stream_id).exists):
                await self._in_ledger(self._ledger.forget, stream_id)

    async def close(self) -> None:
        """Stop as it is: the ledger knows what is missing."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._in_ledger(self._ledger.close)
        self._ledger_thread.shutdown()

    # --- the pool

    def _start(self) -> None:
        while len(self._tasks) < self._connections:
            name = f"upload-{len(self._tasks)}"
            self._tasks.append(asyncio.create_task(self._work(), name=name))

    async def _work(self) -> None:
        while True:
            lane = self._next_lane()
            if lane is None:
                await self._wait_due()
                continue
            try:
                await self._send_next(lane)
            except IngestError as error:  # the ledger: a full disk
                self._failed(lane, error)
            except Exception as error:  # noqa: BLE001  a fault of ours must not end all uploads
                self._log.exception("upload_crashed", stream_id=lane.stream_id)
                self._failed(lane, error)

    def _next_lane(self) -> UploadLane | None:
        """The stream whose turn it is, among those that have something to send now."""
        now_s = time.monotonic()
        for _ in range(len(self._turns)):
            lane = self._turns[0]
            self._turns.rotate(-1)
            if lane.sendable and lane.not_before_s <= now_s:
                return lane
        return None

    async def _wait_due(self) -> None:
        """Until something is added or comes back, or a pause is over."""
        self._due.clear()
        now_s = time.monotonic()
        pauses = [lane.not_before_s - now_s for lane in self._turns if lane.sendable]
        try:
            async with asyncio.timeout(max(0.0, min(pauses, default=_LOOK_AGAIN_S))):
                await self._due.wait()
        except TimeoutError:
            return

    async def _send_next(self, lane: UploadLane) -> None:
        lane.sending += 1
        try:
            if lane.unmarked:
                upload: Upload | None = lane.unmarked.pop()
            else:
                upload = await self._in_ledger(self._ledger.claim, lane.stream_id)
            if upload is None:  # its row is still on the way to the ledger
                await asyncio.sleep(_ROW_COMES_S)
                return
            try:
                await self._send(lane, upload)
            except LedgerUnavailable:
                lane.unmarked.append(replace(upload, attempts=upload.attempts + 1))
                raise
        finally:
            lane.sending -= 1
            self._due.set()

    async def _send(self, lane: UploadLane, upload: Upload) -> None:
        try:
            stored = await self._stored(lane.folder / upload.name, upload)
        except ObjectStoreError as error:
            self._failed(lane, error)
            await self._in_ledger(self._ledger.failed, upload)
            return
        except BaseException:
            await self._in_ledger(self._ledger.failed, upload)
            raise
        if stored is None:
            self.figures.lost += 1
            self._log.error("recording_file_lost", stream_id=lane.stream_id, file=upload.name)
            lane.stored_offset = await self._in_ledger(self._ledger.lost, upload)
        else:
            lane.stored_offset = await self._in_ledger(
                self._ledger.stored, upload, stored.size, stored.md5
            )
        self._succeeded(lane)

    async def _stored(self, path: Path, upload: Upload) -> StoredObject | None:
        """Put the file on the store, unless an earlier attempt did; None when it is nowhere."""
        if not await asyncio.to_thread(path.exists):
            found = await self._store.stat(upload.key)
            return found if found and upload.size in {-1, found.size} else None
        if upload.attempts and await self._store.holds(upload.key, path):
            found = await self._store.stat(upload.key)
            if found is not None:
                return found
        stored = await self._store.put_file(upload.key, path, media_kind(upload.key))
        if upload.size not in {-1, stored.size}:
            raise ObjectStoreError(f"{upload.key} has {stored.size} bytes, not {upload.size}")
        self.figures.stored += 1
        self.figures.stored_bytes += stored.size
        return stored

    def _succeeded(self, lane: UploadLane) -> None:
        lane.settle(1)
        if lane.failures:
            self._log.info("upload_resumed", stream_id=lane.stream_id, waiting=lane.open)
        lane.failures, lane.not_before_s, lane.last_error = 0, 0.0, ""
        if self._failures > self._connections:  # the store was away, and is back: nobody pauses
            for other in self._turns:
                other.not_before_s = 0.0
        self._failures = 0

    def _failed(self, lane: UploadLane, error: Exception) -> None:
        lane.failures += 1
        self._failures += 1
        asked_s = error.retry_after_s if isinstance(error, ObjectStoreError) else 0.0
        wait_s = self._back_off.wait_s(lane.failures, asked_s)
        refused = isinstance(error, ObjectStoreError) and not error.retryable
        self.figures.failed += not refused
        self.figures.refused += refused
        if refused:
            wait_s = max(wait_s, self._back_off.wait_refused_s())
        lane.not_before_s = time.monotonic() + wait_s
        lane.last_error = str(error) if isinstance(error, IngestError) else type(error).__name__
        (self._log.error if refused else self._log.warning)(
            "upload_refused" if refused else "upload_failed",
            stream_id=lane.stream_id,
            error=lane.last_error,
            waiting=lane.open,
            again_in_s=round(wait_s, 3),
        )

    async def _in_ledger(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` in the ledger's thread, to its end even when the caller is cancelled."""
        loop = asyncio.get_running_loop()
        return await asyncio.shield(
            loop.run_in_executor(self._ledger_thread, lambda: function(*args, **kwargs))
        )
