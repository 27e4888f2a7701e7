"""From an `Operation` to an aiohttp handler: authenticate, read, call, wrap."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from aiohttp import web
from aiohttp.helpers import ETag
from pydantic import BaseModel

from controller.api.client_address import ClientAddress
from controller.api.commands import Commands
from controller.api.reading import read_body, read_idempotency_key, read_path, read_query
from controller.api.registry import Access, Answer, AnyOperation, Call
from controller.api.request_ids import USER_ID
from controller.api.requests import Nothing
from controller.domain.people import Identity
from controller.errors import NotAuthenticated
from controller.hub.guests import GUEST_COOKIE

_NOTHING = Nothing()
_NO_CONTENT = 204
_PRIVATE = {"Cache-Control": "private, no-store"}


class HeaderAuthenticator(Protocol):
    """Turns an Authorization header into a caller."""

    async def from_header(self, authorization: str, address: str) -> Identity:
        """Who is calling; NotAuthenticated, TooManyFailures."""
        ...


@dataclass(frozen=True, slots=True)
class Binder:
    """Makes handlers; holds what all of them need."""

    authenticator: HeaderAuthenticator
    client_address: ClientAddress
    commands: Commands

    def bind(
        self, operation: AnyOperation
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The aiohttp handler for an operation.

        Who is calling is settled before anything is read, so strangers learn nothing about
        fields, and cannot make the server read bodies.
        """

        async def handle(request: web.Request) -> web.StreamResponse:
            identity = await self._identity(request, operation.access)
            if identity is not None:
                request[USER_ID] = str(identity.user_id)
            key = read_idempotency_key(request.headers) if operation.takes_idempotency_key else None
            path = read_path(request.match_info)
            query: BaseModel = _NOTHING
            if operation.reads_query:
                query = read_query(request.query, operation.query)
            body: BaseModel = _NOTHING
            if operation.reads_body:
                body = await read_body(request, operation.body)
            guest = request.cookies.get(GUEST_COOKIE, "")
            work = operation.handler(Call(identity, path, body, query, key, guest))
            # Whoever only reads may leave; what changes something is seen through.
            is_reading = operation.method == "GET"
            answer = await (work if is_reading else self.commands.finish(work))
            response = envelope(answer)
            return _conditional(request, response) if operation.has_etag else response

        return handle

    async def _identity(self, request: web.Request, access: Access) -> Identity | None:
        authorization = request.headers.get("Authorization")
        if authorization is None:
            if access is Access.SIGNED_IN:
                raise NotAuthenticated
            return None
        address = self.client_address.of(
            request.remote, ",".join(request.headers.getall("X-Forwarded-For", []))
        )
        return await self.authenticator.from_header(authorization, address)


def envelope(answer: Answer) -> web.Response:
    """`{"success": true, "message"?: …, "data": …}`; private to its caller, never cached. A 204 has
    no body.
    """
    if answer.status == _NO_CONTENT:
        return web.Response(status=answer.status, headers={**_PRIVATE, **answer.headers})
    message = b""
    if answer.message is not None:
        message = b'"message":' + json.dumps(answer.message).encode() + b","
    data = answer.data.model_dump_json(by_alias=True).encode()
    return web.Response(
        status=answer.status,
        body=b'{"success":true,' + message + b'"data":' + data + b"}",
        content_type="application/json",
        charset="utf-8",
        headers={**_PRIVATE, **answer.headers},
    )


def _conditional(request: web.Request, response: web.Response) -> web.Response:
    """Adds the ETag (RFC 9110, 8.8.3), answers 304 to who has this very answer already."""
    body = response.body
    digest = sha256(body if isinstance(body, bytes) else b"").hexdigest()[:32]
    headers = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
    known = request.if_none_match or ()
    if any(tag.value in (digest, "*") for tag in known):
        response = web.Response(status=304)
    response.headers.update(headers)
    response.etag = ETag(value=digest)
    return response
