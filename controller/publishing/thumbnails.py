"""Pictures of live streams, from their newest keyframes, made again and again.

One process makes the pictures of all streams that are due, for starting it costs more than a
picture; when it crashes, each stream's is made alone, so that the others have theirs.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import UUID

import msgspec
import structlog

from controller.domain.derived import DerivedStore
from controller.errors import ControllerError
from controller.publishing.background import BackgroundTasks
from controller.publishing.visits import Visits
from ingest import IngestError, SessionSupervisor, TaskLimits, run_task
from ingest.derivatives import THUMBNAILS_TASK, LivePicture, ThumbnailsRequest, newest_keyframe

THUMBNAIL_NAME = "thumbnail.jpg"
_TICK_S = 1.0
_PICTURE_S = 2.0
_START_S = 20.0
_MEMORY_BYTES = 1 << 30
_FILE_BYTES = 16 << 20
_ROUNDS_PAUSED = 10
"""How many rounds a stream is left out whose picture ended the process."""


class StreamUrls(Protocol):
    """Where a live stream's picture is served."""

    def thumbnail(self, stream_id: UUID) -> str:
        """Its address."""
        ...


@dataclass(slots=True)
class _Seen:
    """A stream's last picture: of which file it was made, when the next one is due."""

    media: str = ""
    due_s: float = 0.0
    told: bool = False


@dataclass(frozen=True, slots=True)
class _Wanted:
    stream_id: UUID
    media: str
    picture: LivePicture


class LiveThumbnails:
    """Makes `thumbnail.jpg` in each live stream's folder, every `interval_s` (0: never).

    The first one is made as soon as there is a keyframe.
    """

    def __init__(
        self,
        supervisor: SessionSupervisor,
        visits: Visits,
        derived: DerivedStore,
        urls: StreamUrls,
        interval_s: float,
        now_s: Callable[[], float],
    ) -> None:
        self._supervisor = supervisor
        self._visits = visits
        self._derived = derived
        self._urls = urls
        self._interval_s = interval_s
        self._now_s = now_s
        self._seen: dict[UUID, _Seen] = {}
        self._tasks = BackgroundTasks()
        self._log = structlog.get_logger(__name__)

    def start(self) -> None:
        """Make pictures from now on, in the background."""
        if self._interval_s > 0:
            self._tasks.start(self._make(), "thumbnails")

    async def close(self) -> None:
        """Stop; a process that runs is ended."""
        await self._tasks.close()

    async def _make(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            try:
                await self.make_due()
            except ControllerError as error:
                self._log.warning("thumbnails_not_told", code=error.code)
            except OSError as error:  # no process, no descriptor: perhaps next time
                self._log.warning("thumbnails_not_made", error=error.strerror)

    async def make_due(self) -> None:
        """One round: whoever is due within half an interval comes along."""
        streams = self._visits.streams()
        self._seen = {one: self._seen.get(one) or _Seen() for one in streams}
        now_s = self._now_s()
        if not any(seen.due_s <= now_s for seen in self._seen.values()):
            return
        soon_s = now_s + self._interval_s / 2
        due = [self._wanted(one) for one, seen in self._seen.items() if seen.due_s <= soon_s]
        wanted = [one for one in due if one is not None]
        for one in wanted:  # whatever becomes of it, it had its turn
            self._seen[one.stream_id].due_s = now_s + self._interval_s
        for one in await self._make_all(wanted):
            await self._made(one)

    def _wanted(self, stream_id: UUID) -> _Wanted | None:
        """What to make the stream's picture of; None while there is nothing new."""
        window = self._supervisor.window(str(stream_id))
        newest = newest_keyframe(window.presentation()) if window is not None else None
        if newest is None or newest.media == self._seen[stream_id].media:
            return None
        folder = self._supervisor.folder(str(stream_id))
        picture = LivePicture(
            init=str(folder / newest.init),
            media=str(folder / newest.media),
            out=str(folder / THUMBNAIL_NAME),
        )
        return _Wanted(stream_id, newest.media, picture)

    async def _make_all(self, wanted: Sequence[_Wanted]) -> list[_Wanted]:
        if not wanted:
            return []
        try:
            return await self._run(wanted)
        except IngestError as error:
            if len(wanted) == 1:
                self._log.warning(
                    "thumbnail_failed", stream_id=str(wanted[0].stream_id), error=str(error)
                )
                pause_s = _ROUNDS_PAUSED * self._interval_s
                self._seen[wanted[0].stream_id].due_s = self._now_s() + pause_s
                return []
        made = []
        for one in wanted:
            made += await self._make_all([one])
        return made

    async def _run(self, wanted: Sequence[_Wanted]) -> list[_Wanted]:
        request = ThumbnailsRequest(pictures=[one.picture for one in wanted])
        limits = TaskLimits(
            time_s=_START_S + _PICTURE_S * len(wanted),
            memory_bytes=_MEMORY_BYTES,
            file_bytes=_FILE_BYTES,
        )
        answer = await run_task(
            THUMBNAILS_TASK, msgspec.to_builtins(request), limits, lambda _: None
        )
        return [wanted[index] for index in answer["made"]]

    async def _made(self, one: _Wanted) -> None:
        seen = self._seen.get(one.stream_id)
        if seen is None:
            return
        seen.media = one.media
        if not seen.told and await asyncio.to_thread(Path(one.picture.out).exists):
            await self._derived.set_thumbnail(one.stream_id, self._urls.thumbnail(one.stream_id))
            seen.told = True
