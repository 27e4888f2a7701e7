"""What delivery says no with, as RFC 9457 problems that players' scripts may read."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from ingest.delivery import caching
from ingest.errors import AnsweredError, IngestError
from ingest.manifest.hls_blocking import BadDirective

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class DeliveryProblem(AnsweredError):
    """A request that is not answered with media."""

    code = "delivery_problem"
    status = 500


class NotThere(DeliveryProblem):
    """No such stream, rendition or file, or not yet."""

    code = "not_there"
    status = 404


class TokenNeeded(DeliveryProblem):
    """The stream is not for everyone, and no good playback token came with the request."""

    code = "playback_token_needed"
    status = 403


class NotInTime(DeliveryProblem):
    """What was waited for did not come (rfc8216bis §6.2.5.2)."""

    code = "not_in_time"
    status = 503
    retryable = True


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn problems into answers that nobody keeps."""
    try:
        return await handler(request)
    except BadDirective as error:
        return _answer(400, error)
    except DeliveryProblem as error:
        return _answer(error.status, error)


def _answer(status: int, error: IngestError) -> web.Response:
    problem = {
        "type": "about:blank",
        "title": type(error).__name__,
        "status": status,
        "detail": str(error),
        "code": error.code,
    }
    response = web.json_response(problem, status=status, content_type="application/problem+json")
    response.headers["Cache-Control"] = caching.NEVER
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response
