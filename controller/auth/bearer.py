"""Bearer tokens (JWT, RFC 7519): one pinned algorithm, `exp` required, claims checked."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import jwt
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from controller.auth.verification_keys import UnknownKey, VerificationKeys
from controller.domain.people import Identity, Role
from controller.errors import NotAuthenticated

MOST_TOKEN_CHARACTERS = 4096
MOST_URL_CHARACTERS = 2048
USERNAME_PATTERN = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"
_UUID = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
_REFUSED = (jwt.PyJWTError, ValueError, OverflowError, RecursionError, UnknownKey)

EXPIRED = "Token expired"
INVALID = "Invalid token"


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What every bearer token must satisfy; an empty audience or issuer is not checked."""

    algorithm: str
    leeway_s: float = 30.0
    audience: str = ""
    issuer: str = ""


class _Claims(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    exp: float
    sub: Annotated[str, StringConstraints(pattern=_UUID)]
    role: Role
    username: Annotated[
        str, StringConstraints(strict=True, max_length=100, pattern=USERNAME_PATTERN)
    ]
    avatar_url: Any = None


class BearerTokens:
    """Verifies bearer tokens against the configured key or the issuer's published ones."""

    def __init__(self, rules: TokenRules, keys: VerificationKeys) -> None:
        self._rules = rules
        self._keys = keys
        self._decoder = jwt.PyJWT(options={"enforce_minimum_key_length": True})

    async def verify(self, token: str) -> Identity:
        """Who the token says is calling; NotAuthenticated, which never quotes the token."""
        if len(token) > MOST_TOKEN_CHARACTERS:
            raise NotAuthenticated(INVALID)
        try:
            header = jwt.get_unverified_header(token)
            # Before any key is looked for: a token of another algorithm costs nothing.
            if header.get("alg") != self._rules.algorithm:
                raise NotAuthenticated(INVALID)
            key = await self._keys.key_for(header.get("kid"))
            claims = _Claims.model_validate(self._decode(token, key))
        except jwt.ExpiredSignatureError:
            raise NotAuthenticated(EXPIRED) from None
        except (*_REFUSED, ValidationError):
            # No cause: its message may quote what was sent.
            raise NotAuthenticated(INVALID) from None
        return Identity(
            user_id=UUID(claims.sub),
            username=claims.username,
            role=claims.role,
            avatar_url=_picture(claims.avatar_url),
            expires_at=_moment(claims.exp + self._rules.leeway_s),
        )

    def _decode(self, token: str, key: Any) -> dict[str, Any]:
        rules = self._rules
        return self._decoder.decode(
            token,
            key,
            algorithms=[rules.algorithm],
            leeway=rules.leeway_s,
            audience=rules.audience or None,
            issuer=rules.issuer or None,
            options={"require": ["exp", "sub"], "verify_aud": bool(rules.audience)},
        )


def _moment(seconds: float) -> datetime:
    """The moment, or the last one that there is: issuers may mean never."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.max.replace(tzinfo=UTC)


def _picture(url: Any) -> str | None:
    """The avatar's address if it is one; a bad picture is no reason to turn its owner away."""
    is_web_address = isinstance(url, str) and url.startswith(("https://", "http://"))
    if not is_web_address or len(url) > MOST_URL_CHARACTERS or not url.isprintable():
        return None
    return str(url)
