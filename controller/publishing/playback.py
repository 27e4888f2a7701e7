"""The media plane's question about playback, put to the gate that knows tokens and audiences."""

from uuid import UUID

from controller.domain.ports import PlaybackAuthorizer


class StreamPlayback:
    """Implements ingest's PlaybackAuthorizer over the control plane's."""

    def __init__(self, gate: PlaybackAuthorizer) -> None:
        self._gate = gate

    async def may_play(self, stream_id: str, token: str | None) -> bool:
        """Whether the bearer of `token` may play the stream; a name that is no id is nobody's."""
        try:
            stream = UUID(stream_id)
        except ValueError:
            return False
        return (await self._gate.authorize(stream, token)).allowed
