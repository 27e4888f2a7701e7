"""Signed sessions of anonymous viewers, so that one browser counts once however many tabs it has.

A token is `<id>.<signature>`: 16 random bytes and a truncated HMAC-SHA256 over them, in URL-safe
base64. It proves nothing but that we have made it; the id that others see does not lead to it.
"""

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass
from hashlib import sha256

_ID_BYTES = 16
_SIGNATURE_BYTES = 16
_TOKEN_CHARACTERS = 43
_SHOWN_CHARACTERS = 20
GUEST_PREFIX = "anon-"
GUEST_COOKIE = "golive_guest"


@dataclass(frozen=True, slots=True)
class Guest:
    """An anonymous viewer: what others see of it, and the token that it comes back with."""

    viewer: str
    token: str


class GuestSessions:
    """Makes and recognises sessions under a key of this installation's own."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def recognise(self, token: str) -> Guest:
        """The guest of the token; a new one when the token is none of ours."""
        known = self.known(token)
        if known is not None:
            return known
        raw = secrets.token_bytes(_ID_BYTES)
        return self._guest(raw + self._sign(raw))

    def known(self, token: str) -> Guest | None:
        """The guest of the token; None when it is none of ours."""
        raw = _decoded(token)
        if raw is None or not hmac.compare_digest(self._sign(raw[:_ID_BYTES]), raw[_ID_BYTES:]):
            return None
        return self._guest(raw)

    def _guest(self, raw: bytes) -> Guest:
        shown = hmac.new(self._key, b"shown" + raw[:_ID_BYTES], sha256).hexdigest()
        text = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        return Guest(f"{GUEST_PREFIX}{shown[:_SHOWN_CHARACTERS]}", text)

    def _sign(self, session_id: bytes) -> bytes:
        return hmac.new(self._key, b"session" + session_id, sha256).digest()[:_SIGNATURE_BYTES]


def _decoded(token: str) -> bytes | None:
    if len(token) != _TOKEN_CHARACTERS or not token.isascii():
        return None
    try:
        return base64.urlsafe_b64decode(token + "=")
    except (binascii.Error, ValueError):
        return None
