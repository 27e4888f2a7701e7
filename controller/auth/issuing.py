"""Signs bearer tokens with the shared secret: for administrators, demos and standalone use."""

from datetime import timedelta
from uuid import UUID, uuid5

import jwt

from controller.auth.bearer import TokenRules
from controller.domain.people import Identity
from controller.domain.ports import Clock
from controller.errors import ConfigurationError

DEFAULT_LIFE = timedelta(hours=24)
_STANDALONE_USERS = UUID("8f1f5b0e-6d0a-5c43-9d55-0d3f1f0f6a11")


class TokenIssuer:
    """Issues tokens that this installation accepts; needs the shared secret (HS256)."""

    def __init__(self, secret: bytes, rules: TokenRules, clock: Clock) -> None:
        if rules.algorithm != "HS256":
            raise ConfigurationError(
                f"tokens are signed by the issuer behind auth_algorithm {rules.algorithm}: "
                "golive only verifies them"
            )
        self._secret = secret
        self._rules = rules
        self._clock = clock

    def issue(self, identity: Identity, life: timedelta = DEFAULT_LIFE) -> str:
        """A bearer token for the identity, valid from now for `life`."""
        now = self._clock.now()
        claims: dict[str, object] = {
            "sub": str(identity.user_id),
            "role": str(identity.role),
            "username": identity.username,
            "iat": int(now.timestamp()),
            "exp": int((now + life).timestamp()),
        }
        optional = {
            "avatar_url": identity.avatar_url,
            "aud": self._rules.audience,
            "iss": self._rules.issuer,
        }
        claims |= {name: value for name, value in optional.items() if value}
        return jwt.encode(claims, self._secret, algorithm="HS256")


def standalone_user_id(username: str) -> UUID:
    """The id of a user of an installation without a marketplace: always the same for a name."""
    return uuid5(_STANDALONE_USERS, username)
