"""Publications (one visit of an encoder) and the stream keys that let them in."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from controller.domain.states import IngestState, StreamStatus


@dataclass(frozen=True, slots=True)
class Publisher:
    """The connection that publishes: an nginx instance, its client id, the encoder's address, which
    is forgotten some time after it has gone.
    """

    nginx_client_id: str
    client_address: str
    nginx_instance: str = ""


@dataclass(frozen=True, slots=True)
class Publication:
    """One visit; `internal_name` is the one-time name that it has inside nginx."""

    id: UUID
    stream_id: UUID
    internal_name: str
    publisher: Publisher
    started_at: datetime
    ended_at: datetime | None = None
    end_reason: str | None = None


class KeyState(StrEnum):
    """Whether a stream key opens anything."""

    ACTIVE = "active"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A stream key as it is kept: a keyed hash to find it, a ciphertext for its owner."""

    id: UUID
    lookup_hash: str
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class KeyMatch:
    """What a known key stands for, so that a refusal can be logged with its reason.

    rehearsal_id: of the rehearsal that runs while the stream is scheduled.
    """

    key_id: UUID
    key_state: KeyState
    stream_id: UUID
    owner_id: UUID
    stream_status: StreamStatus
    ingest_state: IngestState
    record_stream: bool
    rehearsal_id: UUID | None = None

    @property
    def may_publish(self) -> bool:
        """True for the active key of a stream that is live or rehearsed."""
        is_open = self.stream_status is StreamStatus.LIVE or self.rehearsal_id is not None
        return self.key_state is KeyState.ACTIVE and is_open

    @property
    def media_id(self) -> UUID:
        """Whose media the encoder sends: the rehearsal's, or the stream's."""
        return self.rehearsal_id or self.stream_id
