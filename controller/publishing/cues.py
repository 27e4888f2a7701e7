"""Keeps what the media plane's playlists tell of products the same as what the store has."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from controller.domain.ports import Clock
from controller.domain.showcase import CueKind, Moment, ProductCue, ShowcaseStore
from controller.errors import ControllerError
from ingest import Cue, Point, SessionSupervisor
from ingest import CueKind as MediaCueKind

_EVERY_S = 2.0
"""How soon what another daemon has written is told here."""

_OVERLAP = timedelta(seconds=30)
"""A change is looked for so long behind: clocks differ, and transactions take time to commit."""

_READ_S = 3.0


class CueKeeper:
    """The MediaTimeline over the supervisor: one query now and then for all live streams, and one
    for each change made here; none for a playlist."""

    def __init__(self, store: ShowcaseStore, supervisor: SessionSupervisor, clock: Clock) -> None:
        self._store = store
        self._supervisor = supervisor
        self._clock = clock
        self._known: dict[UUID, dict[UUID, ProductCue]] = {}
        self._looked_at: datetime | None = None
        self._turn = asyncio.Lock()
        self._log = structlog.get_logger(__name__)

    def moment(self, stream_id: UUID, at: datetime, *, is_now: bool) -> Moment:
        """See `MediaTimeline.moment`."""
        window = self._supervisor.window(str(stream_id))
        if window is None or window.spans.newest is None:
            return Moment(at)
        wall_s = at.timestamp()
        if is_now:
            wall_s = window.moment_s(wall_s)
        position_s = window.spans.position_s(wall_s)
        return Moment(datetime.fromtimestamp(wall_s, UTC), position_s)

    async def cues_changed(self, stream_id: UUID) -> None:
        """See `MediaTimeline.cues_changed`; what fails is caught up by the next look."""
        if not self._supervisor.is_open(str(stream_id)):
            return
        try:
            async with asyncio.timeout(_READ_S), self._turn:
                await self._load([stream_id])
        except (ControllerError, TimeoutError):
            self._known.pop(stream_id, None)
            self._log.warning("cues_untold", stream_id=str(stream_id))

    async def cues_of(self, stream_id: UUID) -> Sequence[Cue]:
        """Everything that was shown in a stream, for its recording. Raises StoreUnavailable."""
        return [media_cue(cue) for cue in await self._store.cues([stream_id])]

    async def look(self) -> None:
        """Tell what has changed in any stream that is open here. Raises StoreUnavailable."""
        async with self._turn:
            is_open = [UUID(one) for one in self._supervisor.open_streams()]
            for gone in self._known.keys() - set(is_open):
                del self._known[gone]
            looked_at, since = self._clock.now(), self._looked_at
            fresh = [one for one in is_open if one not in self._known]
            if since is not None:
                before = [one for one in is_open if one in self._known]
                self._take(await self._store.cues(before, since - _OVERLAP))
            await self._load(fresh)
            self._looked_at = looked_at

    async def run(self) -> None:
        """Look now and then, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                await self.look()
            except ControllerError as error:
                self._log.warning("cues_not_read", code=error.code)

    async def _load(self, stream_ids: Sequence[UUID]) -> None:
        """Read all that there is of these streams."""
        cues = await self._store.cues(stream_ids)
        for stream_id in stream_ids:
            self._known[stream_id] = {}
        self._take(cues)

    def _take(self, cues: Sequence[ProductCue]) -> None:
        for cue in cues:
            self._known[cue.stream_id][cue.id] = cue
        for stream_id in {cue.stream_id for cue in cues}:
            known = sorted(self._known[stream_id].values(), key=lambda cue: (cue.at, cue.id))
            self._supervisor.show_cues(str(stream_id), [media_cue(cue) for cue in known])


def media_cue(cue: ProductCue) -> Cue:
    """The cue in the media plane's words."""
    place = None if cue.x is None or cue.y is None else Point(cue.x, cue.y)
    return Cue(
        id=f"{cue.kind}-{cue.id}",
        kind=MediaCueKind.TAG if cue.kind is CueKind.TAG else MediaCueKind.PIN,
        product_id=str(cue.product_id),
        at_wall_s=cue.at.timestamp(),
        until_wall_s=None if cue.until is None else cue.until.timestamp(),
        place=place,
    )
