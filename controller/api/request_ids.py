"""Every request has an id, the proxy's if it gave one: logs and problems carry it."""

import re
from uuid import uuid4

from aiohttp import web

HEADER = "X-Request-ID"
REQUEST_ID = web.RequestKey("request_id", str)
USER_ID = web.RequestKey("user_id", str)
"""Who asked, once that is known; for the line that is logged at the end."""

_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{8,64}")


def take_request_id(request: web.Request) -> str:
    """The id of a request that has just arrived; kept in the request."""
    given = request.headers.get(HEADER, "")
    request_id = given if _ACCEPTED.fullmatch(given) else uuid4().hex
    request[REQUEST_ID] = request_id
    return request_id


def request_id_of(request: web.BaseRequest) -> str:
    """The id of a request that is being answered."""
    given: str = request.get(REQUEST_ID, "")
    return given
