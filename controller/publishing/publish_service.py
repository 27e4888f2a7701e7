"""Who may publish: the decisions behind nginx-rtmp's hooks."""

import secrets
from dataclasses import dataclass
from typing import Protocol

import structlog

from controller.auth.failure_limit import FailureLimiter
from controller.domain.ports import KeyLookup
from controller.domain.publications import KeyMatch, KeyState, Publisher
from controller.domain.states import IngestState, StreamStatus
from controller.errors import (
    AlreadyPublishing,
    ControllerError,
    KeyRevoked,
    StoreUnavailable,
    StreamNotLive,
    TooManyFailures,
)
from controller.publishing.encoders import WEBRTC_PREFIX
from controller.publishing.lifecycle import NoCapacity, StreamLifecycle
from controller.publishing.refusals import (
    NO_SPACE,
    NOT_LIVE,
    REVOKED_KEY,
    UNKNOWN_KEY,
    PublishRefused,
    failed,
    late,
)
from controller.publishing.served import OpenPublications
from controller.publishing.visits import Visit, Visits

_NAME_BYTES = 12
_TOO_MANY = TooManyFailures.http_status


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """What an encoder asks for: the key it sent, and who it is to nginx (`over_webrtc`: to us)."""

    key: str
    client_id: str
    address: str
    encoder: str
    over_webrtc: bool = False


@dataclass(frozen=True, slots=True)
class PublishDone:
    """nginx's word that a client has stopped publishing."""

    client_id: str
    address: str


class SpaceForEncoders(Protocol):
    """Who knows whether there is space."""

    @property
    def may_publish(self) -> bool:
        """Whether an encoder of a stream that has had none yet is let in."""
        ...


@dataclass(frozen=True, slots=True)
class Stage:
    """Where encoders are let in: on air, or to rehearse."""

    publications: OpenPublications
    lifecycle: StreamLifecycle
    visits: Visits


class PublishService:
    """Answers on_publish, on_play and on_publish_done."""

    def __init__(
        self,
        keys: KeyLookup,
        on_air: Stage,
        rehearsing: Stage,
        failures: FailureLimiter,
        space: SpaceForEncoders,
    ) -> None:
        self._keys = keys
        self._on_air = on_air
        self._rehearsing = rehearsing
        self._stages = (on_air, rehearsing)
        self._failures = failures
        self._space = space
        self._log = structlog.get_logger()

    async def publish(self, request: PublishRequest) -> str:
        """Let the encoder in under a fresh internal name, which is answered; PublishRefused.

        When this returns, our puller has joined the name: no packet is lost.
        """
        log = self._log.bind(
            client_id=request.client_id, address=request.address, encoder=request.encoder
        )
        try:
            visit = await self._admit(request)
        except PublishRefused as refusal:
            # A guesser fills its own allowance, not the log.
            tell = log.debug if refusal.status == _TOO_MANY else log.warning
            tell("publish_refused", code=refusal.code, reason=refusal.reason)
            raise
        except StoreUnavailable as error:
            # Fail closed: whoever is on air stays, nobody new is let in unchecked.
            log.error("publish_refused", code=error.code, reason=error.detail)  # noqa: TRY400
            raise PublishRefused(failed(error)) from error
        log.info("publish_accepted", stream_id=str(visit.stream_id), publication=visit.name)
        return visit.name

    async def check(self, key: str, address: str) -> None:
        """Raise PublishRefused unless the key may publish now; nothing begins."""
        try:
            self._checked(await self._keys.find_key(key) if key else None, address)
        except StoreUnavailable as error:
            raise PublishRefused(failed(error)) from error

    def play(self, internal_name: str) -> bool:
        """Whether a player may have this name: our puller, for a visit that is running."""
        for stage in self._stages:
            visit = stage.visits.named(internal_name)
            if visit is not None:
                visit.joined.set()
                return True
        return False

    async def publish_done(self, done: PublishDone) -> None:
        """Take the hint: the visit's session is given a moment, then asked to look."""
        for stage in self._stages:
            visit = stage.visits.of_client(done.client_id, done.address)
            if visit is not None:
                stage.lifecycle.encoder_may_be_gone(visit)

    async def _admit(self, request: PublishRequest) -> Visit:
        match = self._checked(
            await self._keys.find_key(request.key) if request.key else None, request.address
        )
        if match.ingest_state is IngestState.IDLE and not self._space.may_publish:
            raise PublishRefused(NO_SPACE)
        stage = self._on_air if match.rehearsal_id is None else self._rehearsing
        await stage.lifecycle.release_dead_visit(match.media_id)
        try:
            stage.lifecycle.require_capacity()
        except NoCapacity as error:
            raise PublishRefused(failed(error)) from error
        plan = await stage.lifecycle.plan_recording(match.media_id)
        prefix = WEBRTC_PREFIX if request.over_webrtc else "p_"
        name = f"{prefix}{secrets.token_hex(_NAME_BYTES)}"
        publisher = Publisher(request.client_id, request.address)
        try:
            publication = await stage.publications.open(
                match.media_id, match.key_id, name, publisher
            )
        except (AlreadyPublishing, KeyRevoked, StreamNotLive) as error:
            raise PublishRefused(late(error)) from error
        visit = Visit(publication, plan)
        try:
            await stage.lifecycle.begin(visit)
        except ControllerError as error:
            raise PublishRefused(failed(error)) from error
        return visit

    def _checked(self, match: KeyMatch | None, address: str) -> KeyMatch:
        """The key's stream, if it may publish. A good key always passes: a guesser behind the
        same address must not lock its neighbors out."""
        if match is None:
            try:
                self._failures.failed(address)
            except TooManyFailures as error:
                raise PublishRefused(failed(error)) from error
            raise PublishRefused(UNKNOWN_KEY)
        if match.key_state is KeyState.REVOKED:
            raise PublishRefused(REVOKED_KEY)
        if match.rehearsal_id is None and match.stream_status is not StreamStatus.LIVE:
            raise PublishRefused(NOT_LIVE[match.stream_status])
        return match
