"""What WebRTC clients are told of STUN and TURN servers, in Link headers (RFC 9725 §4.6)."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from controller.domain.ports import Clock

_LIFE_S = 86_400


@dataclass(frozen=True, slots=True)
class TurnAccess:
    """Who clients are to the TURN server: a fixed user, or one made for each from `secret`."""

    username: str
    credential: SecretStr
    secret: SecretStr


class IceServers:
    """The servers' Link headers, those of TURN with a user name and a password."""

    def __init__(self, urls: Sequence[str], access: TurnAccess, clock: Clock) -> None:
        self._urls = tuple(urls)
        self._access = access
        self._clock = clock

    def links(self) -> list[str]:
        """One value for each server."""
        return [self._link(url) for url in self._urls]

    def _link(self, url: str) -> str:
        link = f'<{url}>; rel="ice-server"'
        if not url.startswith("turn"):
            return link
        username, credential = self._credentials()
        return (
            f'{link}; username="{username}"; credential="{credential}"; credential-type="password"'
        )

    def _credentials(self) -> tuple[str, str]:
        """coturn's REST scheme: the name is when it ends, the password its keyed hash."""
        secret = self._access.secret.get_secret_value()
        if not secret:
            return self._access.username, self._access.credential.get_secret_value()
        username = f"{int(self._clock.now().timestamp()) + _LIFE_S}:golive"
        digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
        return username, base64.b64encode(digest).decode()
