"""A stream's recording: what has become of it, how long it stays, and what its owner may do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from controller.domain.access import require_owner, require_owner_or_admin
from controller.domain.people import Identity
from controller.domain.streams import Stream
from controller.errors import NothingToDelete


class RecordingState(StrEnum):
    """What there is of a stream behind its live window."""

    PENDING = "pending"
    """No encoder has come yet; never kept in a store."""
    RECORDING = "recording"
    """It is being recorded, or yet to be published."""
    READY = "ready"
    UNSAVED = "unsaved"
    """The host did not ask for it; for some hours it can still be saved."""
    OFF = "off"
    NO_SPACE = "no_space"
    """There was no space to record it when its encoder came."""
    EMPTY = "empty"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Recording:
    """What is known of one stream's recording; times are aware and in UTC.

    `save_until`: an unsaved one goes then; None while the stream goes on. `keep_days`: the
    stream's own rule, None for the default.
    """

    stream_id: UUID
    state: RecordingState
    size_bytes: int = 0
    keep_days: int | None = None
    finished_at: datetime | None = None
    save_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class RetentionRules:
    """The defaults: how long recordings stay, how much room all take, and for how many hours one
    that nobody asked for can be saved; 0 stands for ever, no bound, and not at all."""

    keep_days: int = 0
    most_bytes: int = 0
    save_hours: float = 0.0

    def expires_at(self, recording: Recording) -> datetime | None:
        """When a recording goes because of its age; None: it stays."""
        if recording.state is RecordingState.UNSAVED:
            return recording.save_until
        days = self.keep_days if recording.keep_days is None else recording.keep_days
        if recording.state is not RecordingState.READY or not days:
            return None
        return None if recording.finished_at is None else recording.finished_at + timedelta(days)

    def to_delete(
        self, recordings: Sequence[Recording], now: datetime
    ) -> list[tuple[Recording, str]]:
        """Which of them have to go now, and by which rule (`age`, `total_size`); `recordings` are
        those that take room, oldest first."""
        gone: list[tuple[Recording, str]] = []
        left: list[Recording] = []
        for recording in recordings:
            at = self.expires_at(recording)
            if at is not None and at <= now:
                gone.append((recording, "age"))
            elif recording.state is RecordingState.READY:
                left.append(recording)
        total = sum(recording.size_bytes for recording in left)
        for recording in left if self.most_bytes else ():
            if total <= self.most_bytes:
                break
            gone.append((recording, "total_size"))
            total -= recording.size_bytes
        return gone


class RecordingStore(Protocol):
    """Recordings, a row for each stream that an encoder has come to."""

    async def find(self, stream_id: UUID) -> Recording | None:
        """The stream's recording; None when no encoder has come."""
        ...

    async def begin(self, stream_id: UUID, state: RecordingState) -> Recording:
        """The stream's recording, which begins in `state` unless there is one already."""
        ...

    async def change(self, recording: Recording, was: RecordingState) -> bool:
        """Write it as it is now, and finished times with it; False when its state is no longer
        `was`."""
        ...

    async def set_keep_days(self, stream_id: UUID, keep_days: int | None) -> None:
        """The stream's own rule, whatever the state; a recording that there is not yet is
        `pending`."""
        ...

    async def kept(self) -> Sequence[Recording]:
        """All that take room: ready, unsaved, or deleted and yet to be removed; the ones that
        finished first first."""
        ...


class RecordingControl(Protocol):
    """The media side of recordings; both calls bound their own time."""

    async def save(self, stream: Stream) -> str | None:
        """Publish an unsaved recording; its URL, None when it takes longer. NothingToSave."""
        ...

    async def delete(self, stream: Stream, reason: str) -> None:
        """Remove a recording, published or unsaved. NothingToDelete."""
        ...


class RecordingStreams(Protocol):
    """What is asked of the streams."""

    async def get(self, stream_id: UUID) -> Stream:
        """The stream; StreamNotFound."""
        ...


@dataclass(frozen=True, slots=True)
class ShownRecording:
    """A recording as its owner sees it."""

    stream: Stream
    recording: Recording
    expires_at: datetime | None


class RecordingService:
    """What an owner may know and do about a recording."""

    def __init__(
        self,
        streams: RecordingStreams,
        recordings: RecordingStore,
        control: RecordingControl,
        rules: RetentionRules,
    ) -> None:
        self._streams = streams
        self._recordings = recordings
        self._control = control
        self._rules = rules

    async def show(self, caller: Identity, stream_id: UUID) -> ShownRecording:
        """The recording; StreamNotFound, NotYourStream."""
        stream = await self._streams.get(stream_id)
        require_owner_or_admin(stream, caller)
        return await self._shown(stream)

    async def save(self, caller: Identity, stream_id: UUID) -> ShownRecording:
        """Keep what was not asked for; NotYourStream, NothingToSave."""
        stream = await self._streams.get(stream_id)
        require_owner(stream, caller)
        await self._control.save(stream)
        return await self.show(caller, stream_id)

    async def keep(
        self, caller: Identity, stream_id: UUID, keep_days: int | None
    ) -> ShownRecording:
        """Set how long it stays, None for the default; NotYourStream."""
        stream = await self._streams.get(stream_id)
        require_owner_or_admin(stream, caller)
        await self._recordings.set_keep_days(stream_id, keep_days)
        return await self._shown(stream)

    async def delete(self, caller: Identity, stream_id: UUID) -> ShownRecording:
        """Remove it for good; NotYourStream, NothingToDelete."""
        stream = await self._streams.get(stream_id)
        require_owner_or_admin(stream, caller)
        found = await self._recordings.find(stream_id)
        if found is None or found.state not in {RecordingState.READY, RecordingState.UNSAVED}:
            raise NothingToDelete
        await self._control.delete(stream, "owner")
        return await self.show(caller, stream_id)

    async def _shown(self, stream: Stream) -> ShownRecording:
        found = await self._recordings.find(stream.id)
        recording = found or Recording(stream.id, RecordingState.PENDING)
        return ShownRecording(stream, recording, self._rules.expires_at(recording))
