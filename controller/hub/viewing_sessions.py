"""Signed viewing sessions: who a player is that asks for playlists, and nothing else.

A session is 44 characters of URL-safe base64: what kind of viewer (1 byte), which one (16 bytes),
and a truncated HMAC-SHA256 over both and the stream (16 bytes). It is good for being counted
among one stream's viewers; it opens no room, plays nothing and names no token, so it may stand in
an address (docs/decisions/0008-viewers-without-a-socket.md).
"""

import base64
import binascii
import hmac
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from uuid import UUID

from controller.hub.guests import GUEST_PREFIX

_ID_BYTES = 16
_SIGNATURE_BYTES = 16
_CHARACTERS = 44


class _Kind(IntEnum):
    USER = 1
    GUEST = 2


@dataclass(frozen=True, slots=True)
class Watched:
    """A viewer of a stream; `user_id` is None for an anonymous one."""

    stream_id: UUID
    viewer: str
    user_id: UUID | None


class ViewingSessions:
    """Makes and reads sessions under a key of this installation's own; keeps nothing."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def issue(self, stream_id: UUID, viewer: str) -> str:
        """The session of a user's id or a guest's; always the same for the same viewer."""
        if viewer.startswith(GUEST_PREFIX):
            shown = bytes.fromhex(viewer.removeprefix(GUEST_PREFIX))
            raw = bytes([_Kind.GUEST]) + shown.ljust(_ID_BYTES, b"\0")
        else:
            raw = bytes([_Kind.USER]) + UUID(viewer).bytes
        return base64.urlsafe_b64encode(raw + self._sign(stream_id, raw)).decode()

    def read(self, stream_id: UUID, session: str) -> Watched | None:
        """The viewer; None for what we have not made for this stream."""
        raw = _decoded(session)
        if raw is None:
            return None
        said, signature = raw[: 1 + _ID_BYTES], raw[1 + _ID_BYTES :]
        if not hmac.compare_digest(signature, self._sign(stream_id, said)):
            return None
        if said[0] == _Kind.USER:
            user_id = UUID(bytes=said[1:])
            return Watched(stream_id, str(user_id), user_id)
        return Watched(stream_id, f"{GUEST_PREFIX}{said[1:11].hex()}", None)

    def _sign(self, stream_id: UUID, said: bytes) -> bytes:
        return hmac.new(self._key, stream_id.bytes + said, sha256).digest()[:_SIGNATURE_BYTES]


def _decoded(session: str) -> bytes | None:
    if len(session) != _CHARACTERS or not session.isascii():
        return None
    try:
        raw = base64.b64decode(session, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == 1 + _ID_BYTES + _SIGNATURE_BYTES else None
