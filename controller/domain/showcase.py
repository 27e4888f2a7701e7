"""What the host shows: a product pinned beside the picture, and where on the media's time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID, uuid4

from controller.domain.access import require_owner
from controller.domain.people import Identity
from controller.domain.ports import Clock
from controller.domain.streams import Stream


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of the media: as PROGRAM-DATE-TIME has it, and in seconds of the recording (None:
    there are no media on this machine)."""

    at: datetime
    stream_time_s: float | None = None


@dataclass(frozen=True, slots=True)
class ProductPin:
    """A product shown beside the picture, until it or the next one is taken away.

    `timestamp_s` is in seconds since the stream started; `until` is None while it is shown.
    """

    id: UUID
    stream_id: UUID
    product_id: UUID
    timestamp_s: int
    since: Moment
    until: Moment | None = None


class CueKind(StrEnum):
    """What a cue shows."""

    TAG = "tag"
    PIN = "pin"


@dataclass(frozen=True, slots=True)
class ProductCue:
    """A tag or a pin as the media plane needs it; x and y are a tag's."""

    id: UUID
    stream_id: UUID
    product_id: UUID
    kind: CueKind
    at: datetime
    until: datetime | None = None
    x: float | None = None
    y: float | None = None


class MediaTimeline(Protocol):
    """The media side of what is shown."""

    def moment(self, stream_id: UUID, at: datetime, *, is_now: bool) -> Moment:
        """The moment of the media for a time of ours; for now it is near the newest frame."""
        ...

    async def cues_changed(self, stream_id: UUID) -> None:
        """Have the playlists tell what the store has; must not raise."""
        ...


class ShowcaseStore(Protocol):
    """Pins, and what was shown when."""

    async def pin(self, pin: ProductPin) -> None:
        """Show the product instead of the one before; nothing happens when it is shown already.
        ProductNotInStream, StreamNotLive, StreamNotFound."""
        ...

    async def unpin(self, stream_id: UUID, product_id: UUID, until: Moment) -> ProductPin | None:
        """Take the product away; None when it was not shown. StreamNotLive, StreamNotFound."""
        ...

    async def shown(self, stream_id: UUID) -> ProductPin | None:
        """What is shown now."""
        ...

    async def cues(
        self, stream_ids: Sequence[UUID], since: datetime | None = None
    ) -> Sequence[ProductCue]:
        """All tags and pins of the streams, oldest first; with `since`, those that were made or
        changed from then on."""
        ...


class PinAnnouncer(Protocol):
    """Who tells the room; called after the change is committed, must not raise."""

    async def product_pinned(self, pin: ProductPin) -> None:
        """A product is shown beside the picture."""
        ...

    async def product_unpinned(self, pin: ProductPin) -> None:
        """It no longer is."""
        ...


class ShowcaseStreams(Protocol):
    """What is asked of the streams."""

    async def get(self, stream_id: UUID) -> Stream:
        """The stream; StreamNotFound."""
        ...


class ShowcaseService:
    """Pins and unpins products of a live stream."""

    def __init__(
        self,
        streams: ShowcaseStreams,
        store: ShowcaseStore,
        timeline: MediaTimeline,
        announcer: PinAnnouncer,
        clock: Clock,
    ) -> None:
        self._streams = streams
        self._store = store
        self._timeline = timeline
        self._announcer = announcer
        self._clock = clock

    async def pin(self, caller: Identity, stream_id: UUID, product_id: UUID) -> ProductPin:
        """Show a product; NotYourStream, ProductNotInStream, StreamNotLive."""
        stream = await self._streams.get(stream_id)
        require_owner(stream, caller)
        now = self._clock.now()
        moment = self._timeline.moment(stream_id, now, is_now=True)
        pin = ProductPin(uuid4(), stream_id, product_id, elapsed_s(stream, now), moment)
        await self._store.pin(pin)
        shown = await self._store.shown(stream_id) or pin
        if shown.id == pin.id:
            await self._timeline.cues_changed(stream_id)
            await self._announcer.product_pinned(pin)
        return shown

    async def unpin(self, caller: Identity, stream_id: UUID, product_id: UUID) -> ProductPin | None:
        """Take a product away; None when it was not shown. NotYourStream, StreamNotLive."""
        require_owner(await self._streams.get(stream_id), caller)
        until = self._timeline.moment(stream_id, self._clock.now(), is_now=True)
        pin = await self._store.unpin(stream_id, product_id, until)
        if pin is not None:
            await self._timeline.cues_changed(stream_id)
            await self._announcer.product_unpinned(pin)
        return pin


def elapsed_s(stream: Stream, now: datetime) -> int:
    """Whole seconds since the stream started."""
    if stream.started_at is None:
        return 0
    return max(0, int((now - stream.started_at).total_seconds()))


def tag_moment(
    timeline: MediaTimeline, stream: Stream, now: datetime, timestamp_s: int | None
) -> Moment:
    """Where a tag belongs: now, or so many seconds after the stream started."""
    if timestamp_s is None or stream.started_at is None:
        return timeline.moment(stream.id, now, is_now=True)
    at = stream.started_at + timedelta(seconds=timestamp_s)
    return timeline.moment(stream.id, at, is_now=False)
