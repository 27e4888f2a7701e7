"""nginx-rtmp's callbacks, on a listener that only the local host reaches.

nginx appends the encoder's own arguments to its fields unescaped, so only the first value of a
field is nginx's; the others are the stranger's. nginx reads nothing of an answer but the first
digit of its status and, of a redirect, the Location: the name to publish under.
"""

from collections.abc import Sequence

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from controller.observing.hooks import OUTCOME
from controller.publishing.publish_service import (
    PublishDone,
    PublishRequest,
    PublishService,
)
from controller.publishing.refusals import PublishRefused

_MAX_FORM_BYTES = 16 * 1024


class NginxHooks:
    """Handlers for on_publish, on_publish_done and on_play."""

    def __init__(self, publishing: PublishService) -> None:
        self._publishing = publishing
        self._log = structlog.get_logger()

    def routes(self) -> list[web.RouteDef]:
        """The table of the hook listener."""
        return [
            web.post("/hooks/publish", self.publish),
            web.post("/api/v1/streams/validate-key", self.publish),
            web.post("/hooks/publish_done", self.publish_done),
            web.post("/hooks/play", self.play),
        ]

    async def publish(self, request: web.Request) -> web.Response:
        """Accept the encoder under a fresh internal name, or refuse it."""
        form = await _form(request)
        publish = PublishRequest(
            key=form.get("name", ""),
            client_id=form.get("clientid", ""),
            address=form.get("addr", ""),
            encoder=form.get("flashver", ""),
        )
        try:
            name = await self._publishing.publish(publish)
        except PublishRefused as refusal:
            response = web.json_response(
                {
                    "type": "about:blank",
                    "title": "Publishing refused",
                    "status": refusal.status,
                    "detail": refusal.reason,
                    "code": refusal.code,
                },
                status=refusal.status,
                content_type="application/problem+json",
            )
            response[OUTCOME] = refusal.code
            return response
        response = web.Response(status=302, headers={"Location": name})
        response[OUTCOME] = "accepted"
        return response

    async def publish_done(self, request: web.Request) -> web.Response:
        """Take the hint that an encoder has gone."""
        form = await _form(request)
        await self._publishing.publish_done(
            PublishDone(client_id=form.get("clientid", ""), address=form.get("addr", ""))
        )
        return web.Response(status=204)

    async def play(self, request: web.Request) -> web.Response:
        """Let our own puller in, and nobody else."""
        form = await _form(request)
        if self._publishing.play(form.get("name", "")):
            return web.Response(status=204)
        self._log.warning("play_refused", address=form.get("addr", ""))
        return web.Response(status=403)


def create_hooks(
    publishing: PublishService, middlewares: Sequence[Middleware] = ()
) -> web.Application:
    """The application of the hook listener."""
    app = web.Application(middlewares=middlewares, client_max_size=_MAX_FORM_BYTES)
    app.add_routes(NginxHooks(publishing).routes())
    return app


async def _form(request: web.Request) -> dict[str, str]:
    """The form's fields, each with its first value."""
    try:
        posted = await request.post()
    except (UnicodeDecodeError, ValueError) as error:
        raise web.HTTPBadRequest(text="the form is not UTF-8") from error
    fields: dict[str, str] = {}
    for name, value in posted.items():
        if isinstance(value, str):
            fields.setdefault(name, value)
    return fields
