"""Rehearsals: what a host needs to push and to watch, and what is known of the encoder."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from pydantic import Field

from controller.api.answers import CamelAnswer
from controller.api.health_answers import AdviceAnswer, IntakeAnswer, PartsAnswer, show_health
from controller.api.health_routes import CoachMonitor
from controller.api.public_urls import PublicUrls
from controller.api.registry import Answer, AnyOperation, Call, Operation
from controller.api.requests import Nothing
from controller.domain.access import PlaybackGrant
from controller.domain.rehearsals import RehearsalService, ShownRehearsal
from controller.domain.session_health import SessionMonitor
from controller.domain.states import IngestState
from controller.errors import (
    NotYourStream,
    RehearsalNotFound,
    StreamNotFound,
    StreamNotScheduled,
)


class RehearsalAnswer(CamelAnswer):
    """A rehearsal, for its owner alone.

    The addresses carry a playback token, which nobody else gets; ask again from `renewAt` on.
    """

    stream_id: UUID
    started_at: datetime
    expires_at: datetime = Field(description="When the rehearsal ends by itself.")
    ingest: IngestState = Field(description="What the encoder does in the rehearsal.")
    rtmp_url: str
    whip_url: str
    stream_key: str | None = Field(
        description="The stream's own. Null when it cannot be read after a change of the server's "
        "secret: rotate."
    )
    whep_url: str
    hls_url: str
    dash_url: str
    token: str
    token_expires_at: datetime
    renew_at: datetime = Field(description="Ask for the next addresses from here on.")
    session: str | None = Field(
        description="What the packager is doing; null while no encoder is there."
    )
    intake: IntakeAnswer | None = Field(
        description="Null until the encoder has been sending for a few seconds."
    )
    parts: PartsAnswer | None
    advice: list[AdviceAnswer] = Field(description="Problems first; empty when all is well.")


class RehearsalPlayback(Protocol):
    """Issues playback tokens; whoever calls it has checked who asks."""

    def issue(self, stream_id: UUID) -> PlaybackGrant:
        """A token for these media."""
        ...


class RehearsalHandlers:
    """From validated calls to the service and back."""

    def __init__(
        self,
        service: RehearsalService,
        playback: RehearsalPlayback,
        sessions: SessionMonitor,
        coaches: CoachMonitor,
        urls: PublicUrls,
    ) -> None:
        self._service = service
        self._playback = playback
        self._sessions = sessions
        self._coaches = coaches
        self._urls = urls

    async def start(self, call: Call[Nothing, Nothing]) -> Answer:
        """POST /streams/{stream_id}/rehearsal."""
        shown = await self._service.start(call.caller, call.path["stream_id"])
        if shown.is_new:
            return Answer(self._show(shown), 201, "Rehearsal started")
        return Answer(self._show(shown), message="Rehearsal goes on")

    async def read(self, call: Call[Nothing, Nothing]) -> Answer:
        """GET /streams/{stream_id}/rehearsal."""
        return Answer(self._show(await self._service.show(call.caller, call.path["stream_id"])))

    async def stop(self, call: Call[Nothing, Nothing]) -> Answer:
        """DELETE /streams/{stream_id}/rehearsal."""
        await self._service.stop(call.caller, call.path["stream_id"])
        return Answer(Nothing(), 204)

    def _show(self, shown: ShownRehearsal) -> RehearsalAnswer:
        rehearsal, urls = shown.rehearsal, self._urls
        grant = self._playback.issue(rehearsal.id)
        advice = self._coaches.advice_of(rehearsal.id)
        health = show_health(rehearsal.id, self._sessions.health_of(rehearsal.id), advice)
        return RehearsalAnswer(
            stream_id=rehearsal.stream_id,
            started_at=rehearsal.started_at,
            expires_at=rehearsal.expires_at,
            ingest=rehearsal.ingest_state,
            rtmp_url=urls.rtmp_url,
            whip_url=urls.whip,
            stream_key=shown.stream_key,
            whep_url=urls.whep(rehearsal.id, grant.token),
            hls_url=urls.hls(rehearsal.id, grant.token),
            dash_url=urls.dash(rehearsal.id, grant.token),
            token=grant.token,
            token_expires_at=grant.expires_at,
            renew_at=grant.renew_at,
            session=health.session,
            intake=health.intake,
            parts=health.parts,
            advice=health.advice,
        )


def rehearsal_operations(handlers: RehearsalHandlers) -> list[AnyOperation]:
    """Every call about a rehearsal."""
    path, tag, own = "/streams/{stream_id}/rehearsal", "Rehearsals", (StreamNotFound, NotYourStream)
    return [
        Operation(
            method="POST",
            path=path,
            id="startRehearsal",
            tag=tag,
            summary="Rehearse: for a while the key lets an encoder in that its owner alone sees",
            who="The owner, while scheduled",
            handler=handlers.start,
            answers={200: RehearsalAnswer, 201: RehearsalAnswer},
            refusals=(*own, StreamNotScheduled),
        ),
        Operation(
            method="GET",
            path=path,
            id="getRehearsal",
            tag=tag,
            summary="Read how the rehearsal goes, with fresh addresses",
            who="The owner",
            handler=handlers.read,
            answers={200: RehearsalAnswer},
            refusals=(*own, RehearsalNotFound),
        ),
        Operation(
            method="DELETE",
            path=path,
            id="endRehearsal",
            tag=tag,
            summary="End the rehearsal; disconnects the encoder, nothing is kept",
            who="The owner",
            handler=handlers.stop,
            answers={204: Nothing},
            refusals=own,
        ),
    ]
