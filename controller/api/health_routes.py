"""How a live stream fares, as its host may ask."""

from controller.api.health_answers import StreamHealthAnswer, show_health
from controller.api.registry import Answer, AnyOperation, Call, Operation
from controller.api.requests import Nothing
from controller.domain.access import require_owner_or_admin
from controller.domain.ports import StreamStore
from controller.domain.session_health import SessionMonitor
from controller.errors import NotYourStream, StreamNotFound


class StreamHealthHandlers:
    """From a validated call to the session's figures."""

    def __init__(self, streams: StreamStore, sessions: SessionMonitor) -> None:
        self._streams = streams
        self._sessions = sessions

    async def read(self, call: Call[Nothing, Nothing]) -> Answer:
        """GET /streams/{stream_id}/health."""
        stream_id = call.path["stream_id"]
        require_owner_or_admin(await self._streams.get(stream_id), call.caller)
        return Answer(show_health(stream_id, self._sessions.health_of(stream_id)))


def health_operations(handlers: StreamHealthHandlers) -> list[AnyOperation]:
    """The one call."""
    return [
        Operation(
            method="GET",
            path="/streams/{stream_id}/health",
            id="getStreamHealth",
            tag="Streams",
            summary="Read how the encoder and the packager fare",
            who="The owner, or an administrator",
            handler=handlers.read,
            answers={200: StreamHealthAnswer},
            refusals=(StreamNotFound, NotYourStream),
        )
    ]
