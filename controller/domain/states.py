"""What a stream and its encoder may be, and the only tables that say what may follow what."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class StreamStatus(StrEnum):
    """What the host has declared."""

    SCHEDULED = "scheduled"
    LIVE = "live"
    ENDED = "ended"
    CANCELLED = "cancelled"


class IngestState(StrEnum):
    """What the encoder does, which is not what the host declared."""

    IDLE = "idle"
    CONNECTED = "connected"
    INTERRUPTED = "interrupted"
    FINISHED = "finished"


class EndReason(StrEnum):
    """Who or what ended a stream."""

    HOST = "host"
    GRACE_ELAPSED = "grace_elapsed"
    ADMINISTRATOR = "administrator"


STATUS_TRANSITIONS: Mapping[StreamStatus, frozenset[StreamStatus]] = MappingProxyType(
    {
        StreamStatus.SCHEDULED: frozenset({StreamStatus.LIVE, StreamStatus.CANCELLED}),
        StreamStatus.LIVE: frozenset({StreamStatus.ENDED}),
        StreamStatus.ENDED: frozenset(),
        StreamStatus.CANCELLED: frozenset(),
    }
)

INGEST_TRANSITIONS: Mapping[IngestState, frozenset[IngestState]] = MappingProxyType(
    {
        IngestState.IDLE: frozenset({IngestState.CONNECTED, IngestState.FINISHED}),
        IngestState.CONNECTED: frozenset({IngestState.INTERRUPTED, IngestState.FINISHED}),
        IngestState.INTERRUPTED: frozenset({IngestState.CONNECTED, IngestState.FINISHED}),
        IngestState.FINISHED: frozenset(),
    }
)
