"""From an Authorization header to a known user."""

from collections import OrderedDict
from uuid import UUID

import structlog

from controller.auth.bearer import BearerTokens
from controller.auth.failure_limit import FailureLimiter
from controller.domain.people import Identity, Role
from controller.domain.ports import UserStore
from controller.errors import NotAuthenticated

_SCHEME = "bearer"
_REMEMBERED_USERS = 10_000


class Authenticator:
    """Verifies bearer tokens, enters users seen for the first time, slows down guessers."""

    def __init__(self, tokens: BearerTokens, users: UserStore, failures: FailureLimiter) -> None:
        self._tokens = tokens
        self._users = users
        self._failures = failures
        self._entered: OrderedDict[UUID, Role] = OrderedDict()
        self._log = structlog.get_logger(__name__)

    async def from_header(self, authorization: str, address: str) -> Identity:
        """Who is calling from `address` with this header; NotAuthenticated, TooManyFailures."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != _SCHEME:
            raise NotAuthenticated
        return await self.from_token(token.strip(), address)

    async def from_token(self, token: str, address: str) -> Identity:
        """Who is calling from `address` with this token; NotAuthenticated, TooManyFailures.

        A valid token always passes: checking one costs little, and a guesser behind the same
        address must not lock its neighbors out.
        """
        try:
            identity = await self._tokens.verify(token)
        except NotAuthenticated as refusal:
            self._log.info("token_refused", reason=refusal.detail, address=address)
            self._failures.failed(address)
            raise
        await self._enter(identity)
        return identity

    async def _enter(self, identity: Identity) -> None:
        """Keep the user in the directory, asking the store only when something may be new."""
        if self._entered.get(identity.user_id) is not identity.role:
            await self._users.ensure(identity)
            self._entered[identity.user_id] = identity.role
        self._entered.move_to_end(identity.user_id)
        while len(self._entered) > _REMEMBERED_USERS:
            self._entered.popitem(last=False)
