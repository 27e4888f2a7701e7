"""Who is behind a request that opens a connection: a user by token, else a guest."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from controller.domain.people import Identity
from controller.errors import NotAuthenticated
from controller.hub.connection import Connection
from controller.hub.errors import AlreadyIdentified
from controller.hub.guest_networks import GuestNetworks
from controller.hub.guests import GUEST_COOKIE, GuestSessions

BEARER_PROTOCOL = "bearer"
_GUEST_LIFE_S = 90 * 86_400


class TokenReader(Protocol):
    """The authenticator, as the hub needs it."""

    async def from_token(self, token: str, address: str) -> Identity:
        """Who is calling from `address` with this token; NotAuthenticated, TooManyFailures."""
        ...


@dataclass(frozen=True, slots=True)
class Caller:
    """A user, or a guest with the token that it may come back with, and its network class."""

    identity: Identity | None
    viewer: str
    guest_token: str | None = None
    network: str | None = None


class Credentials:
    """Reads tokens and guest sessions; `address_of` knows about trusted proxies, `country_of` where
    an address is.
    """

    def __init__(
        self,
        tokens: TokenReader,
        guests: GuestSessions,
        networks: GuestNetworks,
        address_of: Callable[[web.Request], str],
        allowed_origins: frozenset[str],
        country_of: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self._tokens = tokens
        self._guests = guests
        self._networks = networks
        self._address_of = address_of
        self._allowed_origins = allowed_origins
        self._country_of = country_of

    async def caller(self, request: web.Request) -> Caller:
        """The user of the request's token, a guest without one; NotAuthenticated and so on."""
        token = token_of(request)
        if token is None:
            cookie = request.cookies.get(GUEST_COOKIE, "")
            return self.guest(request.query.get("session") or cookie, request)
        return await self.user(request, token)

    async def user(self, request: web.Request, token: str) -> Caller:
        """The token's user; NotAuthenticated, TooManyFailures, StoreUnavailable."""
        identity = await self._tokens.from_token(token, self._address_of(request))
        return Caller(identity, str(identity.user_id))

    async def identify(self, connection: Connection, request: web.Request, token: object) -> None:
        """Make a guest's connection its user's, or renew the token of one that is.

        AlreadyIdentified for another user, or a guest who is in a room; and what `user` raises.
        """
        if connection.identity is None and connection.rooms:
            raise AlreadyIdentified
        if not isinstance(token, str):
            raise NotAuthenticated
        caller = await self.user(request, token)
        if connection.identity is not None and caller.viewer != connection.viewer:
            raise AlreadyIdentified
        connection.identity, connection.viewer = caller.identity, caller.viewer
        connection.guest_token = None

    def guest(self, session: str, request: web.Request) -> Caller:
        """The session's guest, a new one for a session that is none."""
        guest = self._guests.recognise(session)
        network = self._networks.network_of(self._address_of(request))
        return Caller(None, guest.viewer, guest.token, network)

    def country(self, request: web.Request) -> str | None:
        """Where the request comes from; None when that is not known."""
        return self._country_of(self._address_of(request))

    def is_origin_allowed(self, request: web.Request) -> bool:
        """Whether the page that opens the connection may: pages elsewhere send an Origin."""
        origin = request.headers.get("Origin")
        if origin is None or "*" in self._allowed_origins or origin in self._allowed_origins:
            return True
        return origin.partition("://")[2] == request.host

    def remember_guest(self, response: web.StreamResponse, caller: Caller, *, secure: bool) -> None:
        """Have a browser come back as the same guest; call before the response is prepared."""
        if caller.guest_token is not None:
            response.set_cookie(
                GUEST_COOKIE,
                caller.guest_token,
                max_age=_GUEST_LIFE_S,
                path="/",
                httponly=True,
                secure=secure,
                samesite="Lax",
            )


def token_of(request: web.Request) -> str | None:
    """The bearer token of the header, the sub-protocol or the query; None without one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == BEARER_PROTOCOL and token.strip():
        return token.strip()
    offered = [
        protocol.strip()
        for protocol in request.headers.get("Sec-WebSocket-Protocol", "").split(",")
    ]
    if offered[0] == BEARER_PROTOCOL and len(offered) > 1:
        return offered[1]
    return request.query.get("token") or None
