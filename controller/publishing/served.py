"""What the life of encoders and their media asks of whatever they belong to: a stream, or the
rehearsal of one.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol
from uuid import UUID

from controller.domain.ports import EndedMedia
from controller.domain.publications import Publication, Publisher
from controller.domain.states import EndReason, IngestState
from controller.domain.streams import Stream
from ingest import RecordingPlan


class ServedStreams(Protocol):
    """The `StreamStore`'s part."""

    async def get(self, stream_id: UUID) -> Stream:
        """The stream; StreamNotFound."""
        ...

    async def end(self, stream_id: UUID, reason: EndReason) -> Stream:
        """live → ended; StreamNotLive. Exactly one of several callers wins."""
        ...

    async def set_ingest_state(
        self, stream_id: UUID, from_state: IngestState, to_state: IngestState
    ) -> Stream:
        """Compare-and-set along `INGEST_TRANSITIONS`; IllegalIngestState, StreamNotFound."""
        ...

    async def live_streams(self) -> Sequence[Stream]:
        """All live streams, oldest first."""
        ...


class OpenPublications(Protocol):
    """The `PublicationStore`'s part."""

    async def open(
        self, stream_id: UUID, key_id: UUID, internal_name: str, publisher: Publisher, /
    ) -> Publication:
        """Begin a visit; AlreadyPublishing, KeyRevoked, StreamNotLive, StreamNotFound."""
        ...

    async def close(self, publication_id: UUID, reason: str) -> Publication | None:
        """End a visit; None when it was closed before or never opened."""
        ...

    async def list_open(self) -> Sequence[Publication]:
        """All open visits, oldest first."""
        ...


class KeptMedia(Protocol):
    """What is kept of streams: see `Recordings`."""

    async def plan(self, stream: Stream) -> RecordingPlan:
        """What is kept of the stream; StoreUnavailable."""
        ...

    async def finish(self, stream: Stream) -> EndedMedia:
        """See to the media of an ended stream, whose session is over."""
        ...

    async def recover(self, but: AbstractSet[UUID]) -> None:
        """See to what the last run of the daemon left, but for streams with a session."""
        ...


class EncoderAnnouncer(Protocol):
    """Who tells the room what becomes of a stream; must not raise."""

    async def ended(self, stream: Stream) -> None:
        """The stream has ended."""
        ...

    async def interrupted(self, stream: Stream) -> None:
        """The encoder has gone, and may come back."""
        ...

    async def resumed(self, stream: Stream) -> None:
        """The encoder is back."""
        ...
