"""Playback tokens: short-lived signed permissions to play one stream.

A token is 24 bytes in URL-safe base64: when it expires (6 bytes) and a truncated HMAC-SHA256
over stream and expiry (18 bytes). It names no user, and its expiry is rounded down to a tenth of
its life, so all viewers of a stream share the same token for a while: nginx's and a CDN's caches
see a handful of prefixes per stream, not one per viewer (docs/decisions/0003-playback-access.md).
"""

import base64
import binascii
import hmac
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

from controller.auth.derived_keys import derive_key
from controller.domain.access import (
    PlaybackDecision,
    PlaybackFacts,
    PlaybackGrant,
    PlaybackRefusal,
)
from controller.domain.ports import Clock
from controller.domain.states import StreamStatus
from controller.domain.streams import Audience

TOKEN_PATTERN = re.compile(r"[A-Za-z0-9_-]{32}")
LONGEST_DECISION_S = 15
_EXPIRY_BYTES = 6
_SIGNATURE_BYTES = 18
_STEPS_PER_LIFE = 10


class PlaybackTokens:
    """Issues and verifies playback tokens; lives are at most `ttl_s` seconds."""

    def __init__(self, secret: bytes, ttl_s: int, clock: Clock) -> None:
        self._key = derive_key(secret, "playback tokens")
        self._ttl_s = ttl_s
        self._step_s = max(1, ttl_s // _STEPS_PER_LIFE)
        self._clock = clock

    def issue(self, stream_id: UUID) -> PlaybackGrant:
        """A token for the stream, valid for between nine tenths of `ttl_s` and `ttl_s`."""
        now_s = self._clock.now().timestamp()
        expires_s = int(now_s + self._ttl_s) // self._step_s * self._step_s
        # Two steps are left for asking again, before and after a hiccup of the network.
        renew_s = max(int(now_s), expires_s - 2 * self._step_s)
        expiry = expires_s.to_bytes(_EXPIRY_BYTES)
        raw = expiry + self._signature(stream_id, expiry)
        return PlaybackGrant(
            token=base64.urlsafe_b64encode(raw).decode(),
            expires_at=datetime.fromtimestamp(expires_s, UTC),
            renew_at=datetime.fromtimestamp(renew_s, UTC),
        )

    def check(self, stream_id: UUID, token: str) -> int | PlaybackRefusal:
        """The seconds (1 or more) that the token is still good for, or why it is not."""
        if TOKEN_PATTERN.fullmatch(token) is None:
            return PlaybackRefusal.TOKEN_INVALID
        try:
            raw = base64.urlsafe_b64decode(token)
        except binascii.Error:
            return PlaybackRefusal.TOKEN_INVALID
        expiry, signature = raw[:_EXPIRY_BYTES], raw[_EXPIRY_BYTES:]
        if not hmac.compare_digest(signature, self._signature(stream_id, expiry)):
            return PlaybackRefusal.TOKEN_INVALID
        left_s = int(int.from_bytes(expiry) - self._clock.now().timestamp())
        return left_s if left_s >= 1 else PlaybackRefusal.TOKEN_EXPIRED

    def _signature(self, stream_id: UUID, expiry: bytes) -> bytes:
        signed = hmac.new(self._key, stream_id.bytes + expiry, sha256)
        return signed.digest()[:_SIGNATURE_BYTES]


def authorize_playback(
    facts: PlaybackFacts | None, token: str | None, tokens: PlaybackTokens
) -> PlaybackDecision:
    """Whether media of the stream with these facts (None: there is none) goes out to a request
    with this token (None: it carries none).
    """
    if facts is None:
        return PlaybackDecision(allowed=False, refusal=PlaybackRefusal.UNKNOWN_STREAM)
    if facts.status is StreamStatus.CANCELLED:
        return PlaybackDecision(allowed=False, refusal=PlaybackRefusal.CANCELLED)
    if facts.audience is Audience.EVERYONE:
        return PlaybackDecision(allowed=True, valid_for_s=LONGEST_DECISION_S)
    if not token:
        return PlaybackDecision(allowed=False, refusal=PlaybackRefusal.TOKEN_MISSING)
    checked = tokens.check(facts.stream_id, token)
    if isinstance(checked, PlaybackRefusal):
        return PlaybackDecision(allowed=False, refusal=checked)
    return PlaybackDecision(allowed=True, valid_for_s=min(checked, LONGEST_DECISION_S))


class PlaybackGate:
    """The `PlaybackAuthorizer`: `authorize_playback` with the facts looked up."""

    def __init__(
        self, facts: Callable[[UUID], Awaitable[PlaybackFacts | None]], tokens: PlaybackTokens
    ) -> None:
        self._facts = facts
        self._tokens = tokens

    async def authorize(self, stream_id: UUID, token: str | None) -> PlaybackDecision:
        """The decision about a request for the stream's media; StoreUnavailable."""
        return authorize_playback(await self._facts(stream_id), token, self._tokens)
