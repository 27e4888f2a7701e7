"""How a live stream fares, as its host may ask."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from controller.api.health_answers import StreamHealthAnswer, show_health
from controller.api.registry import Answer, AnyOperation, Call, Operation
from controller.api.requests import Nothing
from controller.domain.access import require_owner_or_admin
from controller.domain.coach import Advice
from controller.domain.ports import StreamStore
from controller.domain.session_health import SessionMonitor
from controller.errors import NotYourStream, StreamNotFound


class CoachMonitor(Protocol):
    """Who knows what the coaches say."""

    def advice_of(self, stream_id: UUID) -> Sequence[Advice]:
        """What holds for the stream now."""
        ...


class StreamHealthHandlers:
    """From a validated call to the session's figures."""

    def __init__(
        self, streams: StreamStore, sessions: SessionMonitor, coaches: CoachMonitor
    ) -> None:
        self._streams = streams
        self._sessions = sessions
        self._coaches = coaches

    async def read(self, call: Call[Nothing, Nothing]) -> Answer:
        """GET /streams/{stream_id}/health."""
        stream_id = call.path["stream_id"]
        require_owner_or_admin(await self._streams.get(stream_id), call.caller)
        health, advice = self._sessions.health_of(stream_id), self._coaches.advice_of(stream_id)
        return Answer(show_health(stream_id, health, advice))


def health_operations(handlers: StreamHealthHandlers) -> list[AnyOperation]:
    """The one call."""
    return [
        Operation(
            method="GET",
            path="/streams/{stream_id}/health",
            id="getStreamHealth",
            tag="Streams",
            summary="Read how the encoder and the packager fare, and what to change",
            who="The owner, or an administrator",
            handler=handlers.read,
            answers={200: StreamHealthAnswer},
            refusals=(StreamNotFound, NotYourStream),
        )
    ]
