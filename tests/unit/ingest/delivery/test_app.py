"""What players get over HTTP, from a window that is fed by hand."""

import asyncio
import gc
import re
import time
import weakref
from dataclasses import dataclass, field

import aiohttp
import pytest

from ingest.delivery import app
from ingest.delivery.app import Delivery, create_delivery
from ingest.delivery.held_requests import HeldRequests
from ingest.journal_entries import StreamFinished, part_name, segment_name
from ingest.window.live_window import LiveWindow
from tests.support.media_values import HeldClock, JournalScript

HLS, DASH = "application/vnd.apple.mpegurl", "application/dash+xml"
BOUND_S = 6.0
"""Three Target Durations."""


@dataclass
class Gate:
    """A PlaybackAuthorizer that wants one token, or none."""

    wanted: str | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    async def may_play(self, stream_id: str, token: str | None) -> bool:
        """Whether it is the token."""
        self.asked.append((stream_id, token))
        return self.wanted is None or token == self.wanted


class Stage:
    """A stream, its window, and the application in front of it."""

    def __init__(
        self, root, accel_prefix="/_live", kinds=("video", "audio"), viewings=None, *, window_s=60
    ):
        self.script = JournalScript(kinds=kinds)
        self.window = LiveWindow(window_s)
        self.clock = HeldClock()
        self.gate = Gate()
        self.root = root
        self.streams = {"show": self.window}
        self.delivery = Delivery(
            self.streams.get,
            root,
            self.gate,
            self.clock,
            accel_prefix=accel_prefix,
            viewings=viewings,
        )
        self.app = create_delivery(self.delivery)
        self.window.apply(self.script.start())

    def live(self, segments=2, parts=1):
        self.window.apply(self.script.segments(segments))
        for index in range(parts):
            self.window.apply(self.script.part(index))
        return self

    def waiting(self, rendition="video"):
        files = len(self.window._renditions[rendition].changed._waiters)
        return files + self.delivery.held_requests


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


@pytest.fixture
async def client(aiohttp_client, stage):
    return await aiohttp_client(
        stage.app, connector=aiohttp.TCPConnector(limit=0), raise_for_status=False
    )


async def until(condition):
    """Let the loop run until `condition()` holds."""
    deadline_s = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline_s, "the condition never held"
        await asyncio.sleep(0.001)


# --- playlists as they are now ----------------------------------------------------------------


async def test_playlists_are_answered_as_they_are_now(client, stage):
    stage.live()
    for path, kind, start in [
        ("/show/index.m3u8", HLS, "#EXTM3U"),
        ("/show/video.m3u8", HLS, "#EXTM3U"),
        ("/show/audio.m3u8", HLS, "#EXTM3U"),
        ("/show/manifest.mpd", DASH, "<?xml"),
    ]:
        answer = await client.get(path)
        assert (answer.status, answer.content_type) == (200, kind)
        assert (await answer.text()).startswith(start)
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_the_time_is_the_clocks(client, stage):
    answer = await client.get("/time")
    assert await answer.text() == "2023-11-14T22:13:20.000Z"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/other/index.m3u8",
        "/other/video/part-0.m4s",
        "/show/subtitles.m3u8",
        "/show/subtitles/part-0.m4s",
        "/show/video/journal.jsonl",
        "/show/video/part-x.m4s",
        "/show/video/part-0.m4s.tmp",
        "/show/video/part-1234567890123.m4s",
        "/show/video/%2e%2e%2fjournal.jsonl",
    ],
)
async def test_what_is_not_there_is_not_found_and_not_cached(client, stage, path):
    stage.live()
    answer = await client.get(path)
    assert answer.status == 404
    if "other" in path or "subtitles" in path:
        assert answer.headers["Cache-Control"] == "no-store"


PLAYLISTS = ["/show/index.m3u8", "/show/video.m3u8", "/show/manifest.mpd"]


@pytest.mark.parametrize("path", PLAYLISTS)
async def test_the_first_answer_is_held_until_there_is_a_whole_segment(client, stage, path):
    """hls.js refuses a playlist that has Partial Segments alone."""
    request = asyncio.create_task(client.get(path))
    await until(lambda: stage.window._started._waiters)
    stage.live(segments=0, parts=2)
    await until(lambda: stage.window._segmented._waiters)
    assert not request.done()
    stage.window.apply(stage.script.segments(1))
    answer = await request
    assert answer.status == 200
    if path == "/show/video.m3u8":
        assert "#EXTINF:" in await answer.text()


async def test_who_asks_for_the_first_part_gets_it_when_it_is_there(client, stage):
    stage.live(segments=0, parts=1)
    answer = await client.get("/show/video.m3u8?_HLS_msn=0&_HLS_part=0")
    assert answer.status == 200
    assert "#EXTINF:" not in await answer.text()


@pytest.mark.parametrize("path", PLAYLISTS)
async def test_a_stream_that_ends_in_its_first_segment_is_answered(client, stage, path):
    stage.live(segments=0, parts=1)
    request = asyncio.create_task(client.get(path))
    await until(lambda: stage.window._segmented._waiters)
    stage.window.apply([StreamFinished(reason="test")])
    assert (await request).status == 200


@pytest.mark.parametrize("path", PLAYLISTS)
async def test_a_first_segment_that_does_not_come_is_not_there(client, stage, path, monkeypatch):
    monkeypatch.setattr(app, "_HOLD_TARGETS", 0.01)
    stage.live(segments=0, parts=1)
    assert (await client.get(path)).status == 404


# --- tokens -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ({"token": "good"}, {}, 403),
        ({}, {"X-Playback-Token": "good"}, 200),
        ({"token": "bad"}, {}, 403),
        ({}, {}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/show/index.m3u8", "/show/video.m3u8", "/show/manifest.mpd"])
async def test_playback_is_for_those_who_may(client, stage, path, query, headers, status):
    stage.live().gate.wanted = "good"
    answer = await client.get(path, params=query, headers=headers)
    assert answer.status == status
    if status == 403:
        assert answer.headers["Cache-Control"] == "no-store"


async def test_a_part_is_for_those_who_may(client, stage):
    stage.live().gate.wanted = "good"
    assert (await client.get("/show/video/part-0.m4s")).status == 403
    assert (
        await client.get("/show/video/part-0.m4s", headers={"X-Playback-Token": "good"})
    ).status == 200


# --- blocking playlist reload -----------------------------------------------------------------


async def test_a_blocking_request_is_held_until_its_part_is_there(client, stage):
    stage.live(parts=1)
    request = asyncio.create_task(client.get("/show/video.m3u8?_HLS_msn=2&_HLS_part=1"))
    await until(lambda: stage.waiting() == 1)
    stage.window.apply(stage.script.part(1))
    answer = await request
    assert answer.status == 200
    assert f'URI="video/{part_name(9)}"' in await answer.text()
    assert answer.headers["Cache-Control"] == "public, max-age=12"  # six Target Durations


async def test_a_request_for_a_segment_waits_for_all_of_its_parts(client, stage):
    stage.live(parts=3)
    request = asyncio.create_task(client.get("/show/video.m3u8?_HLS_msn=2"))
    await until(lambda: stage.waiting() == 1)
    stage.window.apply(stage.script.part(3))
    await until(lambda: stage.waiting() == 1)
    assert not request.done()
    stage.window.apply(stage.script.close())
    assert f"\nvideo/{segment_name(2)}\n" in await (await request).text()


async def test_what_is_there_already_is_answered_at_once(client, stage):
    stage.live()
    answer = await client.get("/show/video.m3u8?_HLS_msn=1&_HLS_part=3")
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "public, max-age=12"


async def test_one_change_answers_everybody_with_the_same_playlist(client, stage):
    stage.live()
    requests = [
        asyncio.create_task(client.get("/show/video.m3u8?_HLS_msn=2&_HLS_part=1"))
        for _ in range(150)
    ]
    await until(lambda: stage.waiting() == 150)
    stage.window.apply(stage.script.part(1))
    answers = await asyncio.gather(*requests)
    assert {answer.status for answer in answers} == {200}
    assert len({await answer.text() for answer in answers}) == 1


@pytest.mark.parametrize(
    "query",
    [
        "_HLS_part=0",
        "_HLS_msn=x",
        "_HLS_msn=-1",
        "_HLS_msn=2&_HLS_part=y",
        "_HLS_msn=5",
        "_HLS_msn=2&_HLS_part=99",
        "_HLS_skip=maybe",
    ],
)
async def test_a_directive_that_makes_no_sense_is_a_bad_request(client, stage, query):
    stage.live()
    answer = await client.get(f"/show/video.m3u8?{query}")
    assert answer.status == 400
    assert answer.headers["Cache-Control"] == "no-store"


async def test_a_delta_update_is_answered_to_those_who_ask_for_one(client, stage):
    stage.live(segments=20)
    whole = await (await client.get("/show/video.m3u8")).text()
    for query in ("_HLS_skip=YES", "_HLS_skip=v2", "_HLS_skip=YES&_HLS_msn=19"):
        delta = await (await client.get(f"/show/video.m3u8?{query}")).text()
        assert "#EXT-X-SKIP:SKIPPED-SEGMENTS=" in delta
        assert len(delta) < len(whole)
    assert await (await client.get("/show/video.m3u8")).text() == whole


async def test_a_playlist_reports_on_the_other_rendition_as_it_is_now(client, stage):
    """A change of the audio alone must be in the video's next playlist."""
    stage.live()
    before = await (await client.get("/show/video.m3u8")).text()
    stage.window.apply([e for e in stage.script.part(1) if e.rendition == "audio"])
    after = await (await client.get("/show/video.m3u8")).text()
    assert 'URI="audio.m3u8",LAST-MSN=2,LAST-PART=0' in before
    assert 'URI="audio.m3u8",LAST-MSN=2,LAST-PART=1' in after


async def test_directives_nobody_has_heard_of_are_ignored(client, stage):
    stage.live()
    assert (await client.get("/show/video.m3u8?_HLS_report=1&x=y")).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_part_that_does_not_come_in_time_is_service_unavailable(
    client, stage, monkeypatch, method
):
    """rfc8216bis §6.2.5.2: after "more than three Target Durations"."""
    monkeypatch.setattr("ingest.delivery.app._HOLD_TARGETS", 0.1)
    stage.live()
    answer = await client.request(method, "/show/video.m3u8?_HLS_msn=3")
    assert answer.status == 503
    assert answer.headers["Cache-Control"] == "no-store"
    assert not stage.waiting()


async def test_parts_that_are_not_the_wanted_one_do_not_lengthen_the_wait(
    client, stage, monkeypatch
):
    monkeypatch.setattr("ingest.delivery.app._HOLD_TARGETS", 0.1)
    stage.live()
    request = asyncio.create_task(client.get("/show/video.m3u8?_HLS_msn=3"))
    await until(lambda: stage.waiting() == 1)
    for index in (1, 2, 3):
        stage.window.apply(stage.script.part(index))
    assert (await request).status == 503


async def test_the_end_of_the_stream_answers_those_who_wait(client, stage):
    stage.live()
    request = asyncio.create_task(client.get("/show/video.m3u8?_HLS_msn=3"))
    await until(lambda: stage.waiting() == 1)
    stage.window.apply([StreamFinished(reason="host")])
    answer = await request
    assert answer.status == 200
    assert (await answer.text()).endswith("#EXT-X-ENDLIST\n")


async def test_clients_that_leave_disturb_nobody(client, stage, caplog):
    stage.live()
    path = "/show/video.m3u8?_HLS_msn=2&_HLS_part=1"
    leavers = [asyncio.create_task(client.get(path)) for _ in range(20)]
    stays = asyncio.create_task(client.get(path))
    await until(lambda: stage.waiting() == 21)
    for task in leavers:
        task.cancel()
    await asyncio.gather(*leavers, return_exceptions=True)
    stage.window.apply(stage.script.part(1))
    assert (await stays).status == 200
    await until(lambda: stage.waiting() == 0)
    assert [r for r in caplog.records if r.levelname == "ERROR"] == []


async def test_an_answer_to_a_held_request_is_like_any_other(aiohttp_client, stage):
    """Header by header: the one is written by aiohttp, the other by us."""
    stage.app.on_response_prepare.append(_name_the_request)
    client = await aiohttp_client(stage.app)
    stage.live()
    held = asyncio.create_task(client.get("/show/video.m3u8?_HLS_msn=2&_HLS_part=1"))
    await until(lambda: stage.waiting() == 1)
    stage.window.apply(stage.script.part(1))
    swept = await held
    plain = await client.get("/show/video.m3u8?_HLS_msn=2&_HLS_part=1")
    assert await swept.read() == await plain.read()
    ours, theirs = dict(swept.headers), dict(plain.headers)
    assert ours.pop("X-Request-ID") == theirs.pop("X-Request-ID")
    assert theirs.pop("Server")
    assert ours.pop("Date")[:16] == theirs.pop("Date")[:16]
    assert ours == theirs


async def _name_the_request(request, response):
    response.headers["X-Request-ID"] = request.query["_HLS_msn"]


@pytest.mark.parametrize("accepted", ["gzip", "br, gzip;q=0.5", "GZIP", "x-gzip"])
async def test_who_understands_gzip_gets_it(client, stage, accepted):
    stage.live()
    path, headers = "/show/video.m3u8", {"Accept-Encoding": accepted}
    held = asyncio.create_task(client.get(f"{path}?_HLS_msn=2&_HLS_part=1", headers=headers))
    await until(lambda: stage.waiting() == 1)
    stage.window.apply(stage.script.part(1))
    plain = await client.get(path, headers={"Accept-Encoding": "identity"})
    for answer in (await held, await client.get(path, headers=headers)):
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert int(answer.headers["Content-Length"]) < int(plain.headers["Content-Length"])
        assert await answer.text() == await plain.text()


@pytest.mark.parametrize("accepted", ["", "br", "gzip;q=0", "gzip; q=0.0", "*;q=0"])
async def test_who_does_not_understand_gzip_gets_text(client, stage, accepted):
    stage.live()
    answer = await client.get("/show/video.m3u8", headers={"Accept-Encoding": accepted})
    assert "Content-Encoding" not in answer.headers
    assert answer.headers["Vary"] == "Accept-Encoding"


async def test_a_connection_serves_one_held_request_after_the_other(stage, aiohttp_client):
    """And a request that was sent before the answer waits its turn."""
    client = await aiohttp_client(stage.app)
    stage.live()
    reader, writer = await asyncio.open_connection("127.0.0.1", client.server.port)
    for index in (1, 2):
        line = f"GET /show/video.m3u8?_HLS_msn=2&_HLS_part={index} HTTP/1.1\r\nHost: x\r\n\r\n"
        writer.write(line.encode())
    for index in (1, 2):
        await until(lambda: stage.waiting() == 1)
        stage.window.apply(stage.script.part(index))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        length = int(re.search(rb"Content-Length: (\d+)", head)[1])
        body = await reader.readexactly(length)
        assert f"LAST-PART={index}\n".encode() in body
    writer.close()


@pytest.mark.parametrize(
    "version", ["HTTP/1.0\r\n", "HTTP/1.1\r\nConnection: close\r\n"], ids=["1.0", "close"]
)
async def test_a_connection_that_is_to_close_is_closed(stage, aiohttp_client, version):
    client = await aiohttp_client(stage.app)
    stage.live()
    reader, writer = await asyncio.open_connection("127.0.0.1", client.server.port)
    query = "_HLS_msn=2&_HLS_part=1"
    writer.write(f"GET /show/video.m3u8?{query} {version}Host: x\r\n\r\n".encode())
    await until(lambda: stage.waiting() == 1)
    stage.window.apply(stage.script.part(1))
    answer = await asyncio.wait_for(reader.read(), 10)
    assert b" 200 OK\r\n" in answer
    assert answer.endswith(b"\n")
    writer.close()


async def test_a_forgotten_window_is_let_go(stage, client):
    stage.live()
    request = asyncio.create_task(client.get("/show/video.m3u8?_HLS_msn=2&_HLS_part=1"))
    await until(lambda: stage.waiting() == 1)
    stage.window.apply(stage.script.part(1))
    await request
    remembered = weakref.ref(stage.window)
    stage.streams.clear()
    stage.window = None
    gc.collect()
    assert remembered() is None


# --- files that are about to be ---------------------------------------------------------------


async def test_a_hinted_part_is_held_and_then_handed_to_nginx(client, stage):
    """rfc8216bis §6.2.6: a hinted resource "MUST be available for request"; no byte is sent
    "until all bytes of that Partial Segment can be transmitted"."""
    stage.live()
    hinted = stage.window.rendition("video").next_part
    request = asyncio.create_task(client.get(f"/show/video/{part_name(hinted)}"))
    await until(lambda: stage.waiting() == 1)
    stage.window.apply(stage.script.part(1))
    answer = await request
    assert answer.status == 200
    assert answer.headers["X-Accel-Redirect"] == f"/_live/show/video/{part_name(hinted)}"
    assert await answer.read() == b""


async def test_many_who_wait_for_a_part_are_answered_together(client, stage):
    stage.live()
    name = part_name(stage.window.rendition("video").next_part)
    requests = [asyncio.create_task(client.get(f"/show/video/{name}")) for _ in range(100)]
    await until(lambda: stage.waiting() == 100)
    stage.window.apply(stage.script.part(1))
    answers = await asyncio.gather(*requests)
    assert {a.headers["X-Accel-Redirect"] for a in answers} == {f"/_live/show/video/{name}"}


async def test_no_garbage_is_collected_between_the_first_answer_and_the_last(
    client, stage, monkeypatch
):
    stage.live()
    rendition = stage.window.rendition("video")
    query = f"_HLS_msn={rendition.last_msn}&_HLS_part={len(rendition.segments[-1].parts)}"
    requests = [asyncio.create_task(client.get(f"/show/video.m3u8?{query}")) for _ in range(50)]
    await until(lambda: stage.delivery.held_requests == 50)
    collected = []
    sweep, usual = HeldRequests._sweep, gc.get_threshold()

    def watched(held, *arguments):
        gc.callbacks.append(lambda phase, _: collected.append(phase))
        try:
            sweep(held, *arguments)
        finally:
            gc.callbacks.pop()

    monkeypatch.setattr(HeldRequests, "_sweep", watched)
    gc.set_threshold(1)
    try:
        stage.window.apply(stage.script.part(1))
    finally:
        gc.set_threshold(*usual)
    assert {answer.status for answer in await asyncio.gather(*requests)} == {200}
    assert collected == []
    assert gc.isenabled()


async def test_the_growing_segment_is_held_until_it_is_whole(client, stage):
    stage.live(parts=3)
    request = asyncio.create_task(client.get(f"/show/video/{segment_name(2)}"))
    await until(lambda: stage.waiting() == 1)
    stage.window.apply(stage.script.part(3))
    await until(lambda: stage.waiting() == 1)
    stage.window.apply(stage.script.close())
    assert (await request).headers["X-Accel-Redirect"] == f"/_live/show/video/{segment_name(2)}"


@pytest.mark.parametrize("name", [part_name(11), part_name(500), segment_name(4)])
async def test_what_was_not_hinted_is_not_found(client, stage, name):
    """rfc8216bis §6.2.6: "Not Found" for "a resource that it cannot find and that is not specified
    by an EXT-X-PRELOAD-HINT tag"; the part behind the hinted one is waited for."""
    stage.live()
    assert stage.window.rendition("video").next_part == 9
    assert (await client.get(f"/show/video/{name}")).status == 404


async def test_a_hinted_part_that_never_comes_is_not_found(client, stage):
    stage.live()
    request = asyncio.create_task(client.get(f"/show/video/{segment_name(3)}"))
    await until(lambda: stage.waiting() == 1)
    stage.clock.forward(BOUND_S + 0.1)
    stage.window.apply(stage.script.part(1))
    await until(lambda: request.done() or stage.waiting())
    assert not stage.waiting()
    assert (await request).status == 404


async def test_a_hinted_part_is_not_found_once_the_stream_has_ended(client, stage):
    stage.live()
    request = asyncio.create_task(client.get(f"/show/video/{part_name(9)}"))
    await until(lambda: stage.waiting() == 1)
    stage.window.apply([StreamFinished(reason="host")])
    assert (await request).status == 404


async def test_without_nginx_the_daemon_sends_the_file_itself(aiohttp_client, tmp_path):
    stage = Stage(tmp_path, accel_prefix="").live()
    path = tmp_path / "show" / "video" / part_name(0)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"media")
    client = await aiohttp_client(stage.app)
    answer = await client.get(f"/show/video/{part_name(0)}")
    assert await answer.read() == b"media"
    assert "X-Accel-Redirect" not in answer.headers


class Door:
    """Viewing sessions that are good when they begin with `good`."""

    def __init__(self) -> None:
        self.seen_sessions: list[tuple[str, str]] = []
        self.opened: list[tuple[str, str, dict]] = []

    def open(self, stream_id, offered, request):
        self.opened.append((stream_id, offered, dict(request.cookies)))
        return offered if offered.startswith("good") else "good-new"

    def seen(self, stream_id, session, request):
        self.seen_sessions.append((stream_id, session))


@pytest.fixture
def door():
    return Door()


@pytest.fixture
async def counted(aiohttp_client, tmp_path, door):
    return await aiohttp_client(Stage(tmp_path, viewings=door).live().app)


async def test_playlists_that_are_asked_for_once_name_the_session_for_those_that_follow(
    counted, door
):
    master = await counted.get("/show/index.m3u8")
    text = await master.text()
    assert "\nvideo.m3u8?session=good-new\n" in text
    assert 'URI="audio.m3u8?session=good-new"' in text
    assert master.headers["Cache-Control"] == "no-store"
    mpd = await counted.get("/show/manifest.mpd")
    assert "<Location>manifest.mpd?session=good-new</Location>" in await mpd.text()
    assert mpd.headers["Cache-Control"] == "no-store"
    # Who does not come back with its session is nobody.
    assert door.seen_sessions == []


async def test_an_mpd_is_made_once_for_all_until_a_segment_is_finished(aiohttp_client, tmp_path):
    stage = Stage(tmp_path, viewings=Door()).live()
    client = await aiohttp_client(stage.app)

    async def told(session):
        text = await (await client.get(f"/show/manifest.mpd?session={session}")).text()
        location = f"<Location>manifest.mpd?session={session}</Location>"
        assert location in text, "each player has its own"
        return text.replace(location, "")

    first = await told("good-1")
    stage.clock.forward(0.5)
    stage.window.apply(stage.script.part(1))
    assert await told("good-2") == first
    stage.window.apply(stage.script.close())
    assert await told("good-1") != first


async def test_a_player_counts_with_each_playlist_and_its_segments_stay_everybodys(counted, door):
    await counted.get("/show/index.m3u8?session=good-1", headers={"Cookie": "golive_guest=g"})
    media = await counted.get("/show/video.m3u8?session=good-1&_HLS_msn=0")
    await counted.get("/show/manifest.mpd?session=bad%22%0A")
    assert door.opened[0] == ("show", "good-1", {"golive_guest": "g"})
    assert {session for _, session in door.seen_sessions} == {"good-1", 'bad"\n'}
    plain = await counted.get("/show/video.m3u8?_HLS_msn=0")
    assert await media.text() == await plain.text()
    assert media.headers["Cache-Control"] == plain.headers["Cache-Control"]
    assert "session" not in await media.text()


async def test_what_a_stranger_offers_as_a_session_comes_back_in_no_playlist(counted):
    for path in ("/show/index.m3u8", "/show/manifest.mpd"):
        answer = await counted.get(path, params={"session": 'x"\n#EXT-X-ENDLIST\n<a>'})
        assert "ENDLIST" not in await answer.text()
        assert "<a>" not in await answer.text()
