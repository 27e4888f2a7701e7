"""Where the key that verifies a bearer token comes from: configuration, or a JWKS URL."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import jwt
import structlog
from jwt.types import JWKDict

from controller.errors import ConfigurationError

_log = structlog.get_logger(__name__)

KEY_LIFE_S = 600.0
LEAST_BETWEEN_FETCHES_S = 30.0
STALE_LIMIT_S = 86_400.0
MOST_KEYS = 64


class UnknownKey(Exception):
    """No key that could verify the token."""


class VerificationKeys(Protocol):
    """Finds the key for a token's `kid` (None: the token names none)."""

    async def key_for(self, kid: str | None) -> Any:
        """A key that PyJWT takes; UnknownKey."""
        ...


class ConfiguredKey:
    """One key from the configuration: a shared secret or a PEM public key."""

    def __init__(self, key: bytes, algorithm: str) -> None:
        try:
            self._key = jwt.get_algorithm_by_name(algorithm).prepare_key(key)
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise ConfigurationError(f"the token key does not fit {algorithm}") from error

    async def key_for(self, kid: str | None) -> Any:  # noqa: ARG002
        """The key; a `kid` has nothing to choose from."""
        return self._key


class JwksKeys:
    """The issuer's published keys, fetched when needed.

    Keys are used for ten minutes; an unknown `kid` (a rotation) fetches anew at once, though not
    more often than every 30 s, so strangers' tokens cannot hammer the issuer. While the issuer
    does not answer, known keys go on working for at most a day.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[bytes]],
        algorithm: str,
        monotonic: Callable[[], float],
    ) -> None:
        self._fetch = fetch
        self._algorithm = algorithm
        self._monotonic = monotonic
        self._keys: dict[str | None, Any] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def key_for(self, kid: str | None) -> Any:
        """The key of that name; without a name, the only key there is. UnknownKey."""
        if self._monotonic() - self._fetched_at > KEY_LIFE_S or self._choose(kid) is None:
            await self._refresh(kid)
        key = self._choose(kid)
        if key is None or self._monotonic() - self._fetched_at > STALE_LIMIT_S:
            raise UnknownKey
        return key

    def _choose(self, kid: str | None) -> Any | None:
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid) if kid is not None else None

    async def _refresh(self, kid: str | None) -> None:
        async with self._fetching:
            now = self._monotonic()
            is_fresh = now - self._fetched_at <= KEY_LIFE_S and self._choose(kid) is not None
            if is_fresh or now - self._tried_at < LEAST_BETWEEN_FETCHES_S:
                return
            self._tried_at = now
            try:
                keys = _parse(await self._fetch(), self._algorithm)
            except (OSError, ValueError, jwt.PyJWTError) as error:
                # Only the kind: an HTTP client's message may quote a URL with credentials.
                _log.warning("jwks_fetch_failed", error=type(error).__name__)
                return
            self._keys = keys
            self._fetched_at = now


def _parse(document: bytes, algorithm: str) -> dict[str | None, Any]:
    """The signing keys of a JWK Set (RFC 7517) that fit the algorithm, by `kid`."""
    try:
        listed = json.loads(document)["keys"]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError("not a JWK Set") from error
    if not isinstance(listed, list):
        raise ValueError("not a JWK Set")  # noqa: TRY004
    found: dict[str | None, Any] = {}
    for entry in listed[:MOST_KEYS]:
        if isinstance(entry, dict) and _may_verify(entry, algorithm):
            try:
                found[entry.get("kid")] = jwt.PyJWK(entry, algorithm).key
            except (jwt.PyJWTError, ValueError, TypeError):
                continue  # of another kind: not ours to use, and no reason to drop the others
    if not found:
        raise ValueError("no usable key")
    return found


def _may_verify(entry: JWKDict, algorithm: str) -> bool:
    # A symmetric key has no place in a published set: whoever reads it could sign.
    return (
        entry.get("kty") != "oct"
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", algorithm) == algorithm
    )
