"""The pages that a person opens: the watch page, the host's, and a list of what is live.

They are static: what they show they ask of the public API. Nothing comes from elsewhere.
"""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from aiohttp import web

_STATIC = Path(__file__).parent / "static"
_PAGE_HEADERS = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def create_web(*vod_base_urls: str) -> web.RouteTableDef:
    """Routes for `/`, `/watch/{stream uuid}`, `/host/{stream uuid}` and `/static/…`; to be added.

    vod_base_urls: where recordings are when that is not this site; pages may then load from there.
    """
    pages = _Pages(_content_security_policy(vod_base_urls))
    routes = web.RouteTableDef()
    routes.get("/")(pages.home)
    routes.get("/watch/{stream_id}")(pages.watch)
    routes.get("/host/{stream_id}")(pages.host)
    routes.get("/static/{name:[a-z0-9.-]+|vendor/[a-z0-9.-]+}")(pages.asset)
    return routes


class _Pages:
    def __init__(self, policy: str) -> None:
        self._headers = {**_PAGE_HEADERS, "Content-Security-Policy": policy}

    async def home(self, _request: web.Request) -> web.StreamResponse:
        """What is live."""
        return self._file(_STATIC / "home.html")

    async def watch(self, request: web.Request) -> web.StreamResponse:
        """One stream; whether it exists the page finds out itself."""
        return self._of_stream(request, "watch.html")

    async def host(self, request: web.Request) -> web.StreamResponse:
        """What the host's encoder sends, and what to change; who asks the page finds out itself."""
        return self._of_stream(request, "host.html")

    async def asset(self, request: web.Request) -> web.StreamResponse:
        """Style, script or picture; the route lets no other path through."""
        path = _STATIC / request.match_info["name"]
        if not path.is_file() or path.suffix == ".html":
            raise web.HTTPNotFound
        return self._file(path)

    def _of_stream(self, request: web.Request, name: str) -> web.FileResponse:
        try:
            UUID(request.match_info["stream_id"])
        except ValueError:
            raise web.HTTPNotFound from None
        return self._file(_STATIC / name)

    def _file(self, path: Path) -> web.FileResponse:
        return web.FileResponse(path, headers=self._headers)


def _content_security_policy(vod_base_urls: Sequence[str]) -> str:
    """Only this site, and the recordings' when they are elsewhere; hls.js feeds blobs."""
    parts = [urlsplit(url) for url in vod_base_urls]
    origins = {f" {part.scheme}://{part.netloc}": None for part in parts if part.netloc}
    elsewhere = "".join(origins)
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"img-src 'self'{elsewhere}",
            f"connect-src 'self'{elsewhere}",
            f"media-src 'self' blob:{elsewhere}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'self'",
        )
    )
