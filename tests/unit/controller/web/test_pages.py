"""The pages: served whole, closed to other origins, and nothing else of the folder given out."""

import re
from pathlib import Path

import pytest
from aiohttp import web

from controller.web.pages import create_web

STATIC = Path(__file__).parents[4] / "controller" / "web" / "static"
STREAM = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
async def client(aiohttp_client):
    return await aiohttp_client(site())


def site(vod_base_url: str = "") -> web.Application:
    app = web.Application()
    app.add_routes(create_web(vod_base_url))
    return app


@pytest.mark.parametrize("path", ["/", f"/watch/{STREAM}", f"/host/{STREAM}"])
async def test_pages_are_html_that_loads_nothing_from_elsewhere(client, path):
    answer = await client.get(path)

    text = await answer.text()
    assert answer.status == 200
    assert answer.content_type == "text/html"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; ")
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text)
    # The policy forbids both.
    assert not re.search(r"<script(?![^>]*\bsrc=)|\bstyle=|\bon[a-z]+=", text)


@pytest.mark.parametrize("page", ["home.html", "watch.html", "host.html"])
async def test_everything_that_a_page_names_is_there(client, page):
    named = re.findall(r"(?:src|href)=\"(/static/[^\"]+)\"", (STATIC / page).read_text())

    assert named
    for path in named:
        answer = await client.get(path)
        assert answer.status == 200, path
        assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "/watch/",
        "/watch/not-a-uuid",
        "/host/not-a-uuid",
        f"/watch/{STREAM}/x",
        "/static/",
        "/static/vendor",
        "/static/watch.html",
        "/static/../pages.py",
        "/static/%2e%2e/pages.py",
        "/static/vendor/..%2fgolive.css",
        "/static/nothing.js",
    ],
)
async def test_nothing_else_is_given_out(client, path):
    assert (await client.get(path)).status == 404


async def test_recordings_from_elsewhere_may_be_loaded_when_they_are_there(aiohttp_client):
    client = await aiohttp_client(site("https://cdn.example/bucket"))

    policy = (await client.get("/")).headers["Content-Security-Policy"]

    assert "connect-src 'self' https://cdn.example;" in policy
    assert "img-src 'self' https://cdn.example;" in policy
    assert "media-src 'self' blob: https://cdn.example;" in policy


async def test_a_browser_that_has_the_page_is_told_so(client):
    first = await client.get("/static/golive.css")
    again = await client.get("/static/golive.css", headers={"If-None-Match": first.headers["ETag"]})

    assert again.status == 304


async def test_pages_may_load_recordings_from_where_they_are(aiohttp_client):
    app = web.Application()
    app.add_routes(create_web("https://cdn.test/x", "https://s3.test/closed"))
    policy = (await (await aiohttp_client(app)).get("/")).headers["Content-Security-Policy"]
    assert "connect-src 'self' https://cdn.test https://s3.test;" in policy
