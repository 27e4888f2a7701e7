"""The segment that grows, part by part, and the low-latency MPD that promises it."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from ingest.delivery import low_latency
from ingest.delivery.open_segments import OpenSegments
from ingest.journal_entries import StreamFinished, part_name, segment_name
from tests.support.low_latency_rules import (
    check_low_latency_mpd,
    check_low_latency_update,
    read_low_latency_mpd,
)
from tests.unit.ingest.delivery.test_app import Stage, until

PATH = "/show/video/segment-2.m4s?period=0"
FREE_BOX = b"\x00\x00\x00\x08free"


class Growing(Stage):
    """A stage whose media are files."""

    def write(self, name, data):
        path = self.root / "show" / "video" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def part(self, index):
        """The next part of the segment that grows; answers its bytes."""
        data = f"part {index};".encode() * 10_000
        self.write(part_name(self.window.rendition("video").next_part), data)
        self.window.apply(self.script.part(index))
        return data

    def close(self, data):
        """The end of the segment that grows."""
        self.write(segment_name(self.script.msn), data)
        self.window.apply(self.script.close())

    def come_back(self):
        """The encoder is away and comes back."""
        self.window.apply(self.script.start("reconnect"))


@pytest.fixture
def stage(tmp_path):
    growing = Growing(tmp_path)
    growing.window.apply(growing.script.segments(2))
    return growing


@pytest.fixture
async def client(aiohttp_client, stage):
    return await aiohttp_client(stage.app, connector=aiohttp.TCPConnector(limit=0))


async def read(answer, data):
    assert await answer.content.readexactly(len(data)) == data


# --- the segment that grows -------------------------------------------------------------------


async def test_parts_are_sent_as_they_come_and_are_the_segment(client, stage):
    """DVB §10.20.2; DASH §5.3.9.5.3: the chunked answer is the segment."""
    parts = [stage.part(0)]
    answer = await client.get(PATH)
    assert answer.status == 200
    await read(answer, parts[0])
    for index in (1, 2, 3):
        parts.append(stage.part(index))
        await read(answer, parts[-1])
    assert stage.delivery.held_requests == 1
    stage.close(b"".join(parts))
    assert await answer.read() == b""
    assert stage.delivery.held_requests == 0


async def test_it_is_answered_like_the_file_that_it_becomes(client, stage):
    data = stage.part(0)
    answer = await client.get(PATH)
    assert answer.headers["Content-Type"] == "video/iso.segment"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert answer.headers["Transfer-Encoding"] == "chunked"
    stage.close(data)
    assert await answer.read() == data


async def test_who_comes_early_waits_for_the_first_part(client, stage):
    request = asyncio.create_task(client.get(PATH))
    await until(lambda: stage.delivery.held_requests == 1)
    assert not request.done()
    data = stage.part(0)
    await read(await request, data)


async def test_who_comes_late_gets_what_there_is_at_once(client, stage):
    parts = [stage.part(index) for index in range(3)]
    await read(await client.get(PATH), b"".join(parts))


async def test_the_next_segment_is_waited_for_the_one_behind_it_is_not_there(client, stage):
    stage.part(0)
    request = asyncio.create_task(client.get("/show/video/segment-3.m4s?period=0"))
    await until(lambda: stage.delivery.held_requests == 1)
    assert (await client.get("/show/video/segment-4.m4s?period=0")).status == 404
    assert (await client.get("/show/video/segment-999999.m4s?period=0")).status == 404
    stage.close(b"")
    data = stage.part(0)
    await read(await request, data)


async def test_a_finished_segment_is_nginx_business(client, stage):
    stage.close(stage.part(0))
    answer = await client.get(PATH)
    assert answer.headers["X-Accel-Redirect"] == "/_live/show/video/segment-2.m4s"


async def test_what_is_not_listed_in_parts_is_sent_with_the_whole(client, stage):
    """A frame that is longer than a part leaves the rest of its segment without parts."""
    data = stage.part(0)
    answer = await client.get(PATH)
    await read(answer, data)
    stage.script.part_s = 1.0
    stage.window.apply(stage.script.part(1))
    stage.close(data + b"one long frame")
    assert await answer.read() == b"one long frame"


async def test_a_part_is_read_once_for_all(client, stage, monkeypatch):
    reads, read_bytes = [], Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: reads.append(path) or read_bytes(path))
    first = stage.part(0)
    answers = [await client.get(PATH) for _ in range(20)]
    second = stage.part(1)
    for answer in answers:
        await read(answer, first + second)
    assert len(reads) == 2
    stage.close(first + second)
    await until(lambda: not stage.delivery.held_requests)


@pytest.mark.parametrize(
    ("method", "headers"), [("GET", {"Range": "bytes=0-9"}), ("HEAD", {})], ids=["range", "head"]
)
async def test_who_must_know_the_length_waits_for_the_whole(client, stage, method, headers):
    data = stage.part(0)
    request = asyncio.create_task(client.request(method, PATH, headers=headers))
    await until(lambda: stage.waiting() == 1)
    stage.close(data)
    assert (await request).headers["X-Accel-Redirect"] == "/_live/show/video/segment-2.m4s"


@pytest.mark.parametrize("period", ["", "x", "-1", "1234567890"])
async def test_a_period_that_is_none_is_no_low_latency_request(client, stage, period):
    data = stage.part(0)
    request = asyncio.create_task(client.get(f"/show/video/segment-2.m4s?period={period}"))
    await until(lambda: stage.waiting() == 1)
    stage.close(data)
    assert "X-Accel-Redirect" in (await request).headers


async def test_a_token_is_needed_here_too(client, stage):
    stage.part(0)
    stage.gate.wanted = "good"
    assert (await client.get(PATH)).status == 403
    assert (await client.get("/show/low-latency.mpd")).status == 403
    assert (await client.get(PATH, headers={"X-Playback-Token": "good"})).status == 200


# --- ends -------------------------------------------------------------------------------------


async def test_a_number_that_belongs_to_the_next_period_has_no_media_in_this_one(client, stage):
    """The encoder came back meanwhile, with another initialization section and another clock."""
    request = asyncio.create_task(client.get(PATH))
    await until(lambda: stage.delivery.held_requests == 1)
    stage.come_back()
    data = stage.part(0)
    answer = await request
    assert (answer.status, await answer.read()) == (200, FREE_BOX)
    assert answer.headers["Cache-Control"] == "no-store"
    await read(await client.get(PATH.replace("period=0", "period=1")), data)
    assert (await client.get(PATH.replace("period=0", "period=2"))).status == 404


async def test_a_stream_that_ends_has_no_next_segment(client, stage):
    request = asyncio.create_task(client.get(PATH))
    await until(lambda: stage.delivery.held_requests == 1)
    stage.window.apply([StreamFinished(reason="host")])
    assert await (await request).read() == FREE_BOX
    assert not stage.delivery.held_requests


async def test_a_segment_that_does_not_begin_is_not_found(client, stage, monkeypatch):
    """The wait is that of every file that is about to be: three Target Durations."""
    monkeypatch.setattr("ingest.delivery.app._HOLD_TARGETS", 0.02)
    assert stage.delivery.held_requests == 0
    answer = await asyncio.wait_for(client.get(PATH), 10)
    assert answer.status == 404
    assert not stage.delivery.held_requests


async def test_one_that_does_not_go_on_is_broken_off(client, stage, monkeypatch, caplog):
    """RFC 9112 §8: without its last chunk the answer is incomplete, and nobody keeps it."""
    monkeypatch.setattr("ingest.delivery.app._HOLD_TARGETS", 0.02)
    data = stage.part(0)
    answer = await client.get(PATH)
    await read(answer, data)
    with pytest.raises(aiohttp.ClientPayloadError):
        await answer.read()
    await until(lambda: not stage.delivery.held_requests)
    assert [r for r in caplog.records if r.levelname == "ERROR"] == []


@pytest.mark.parametrize("lost", [0, 1])
async def test_one_whose_part_is_lost_is_broken_off(client, stage, caplog, lost):
    for index in range(2):
        stage.part(index)
    (stage.root / "show" / "video" / part_name(8 + lost)).unlink()
    answer = await client.get(PATH)
    with pytest.raises(aiohttp.ClientPayloadError):
        await answer.read()
    assert [r for r in caplog.records if r.levelname == "ERROR"] == []


async def test_http_1_0_waits_for_the_whole(client, stage):
    data = stage.part(0)
    reader, writer = await asyncio.open_connection("127.0.0.1", client.server.port)
    writer.write(f"GET {PATH} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
    await until(lambda: stage.waiting() == 1)
    stage.close(data)
    assert b"X-Accel-Redirect: /_live/show/video/segment-2.m4s" in await reader.read()
    writer.close()


async def test_one_whose_file_is_lost_is_broken_off(client, stage):
    data = stage.part(0)
    answer = await client.get(PATH)
    await read(answer, data)
    stage.window.apply(stage.script.close())
    with pytest.raises(aiohttp.ClientPayloadError):
        await answer.read()


async def test_a_client_that_leaves_is_waited_for_no_longer(aiohttp_server, stage, caplog):
    server = await aiohttp_server(stage.app)  # cancels handlers, as the daemon's does
    stage.part(0)
    for path in (PATH, "/show/video/segment-3.m4s?period=0"):
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await until(lambda: stage.delivery.held_requests == 1)
        writer.close()
        await until(lambda: stage.delivery.held_requests == 0)
    assert [r for r in caplog.records if r.levelname == "ERROR"] == []


async def test_nothing_is_kept_of_a_segment_that_is_over(client, stage):
    segments: OpenSegments = stage.delivery._open_segments
    data = stage.part(0)
    answer = await client.get(PATH)
    await read(answer, data)
    assert segments._parts[stage.window]["video"].bytes
    stage.close(data)
    await answer.read()
    assert not segments._parts


# --- the MPD ----------------------------------------------------------------------------------


async def mpd(client):
    answer = await client.get("/show/low-latency.mpd")
    assert (answer.status, answer.content_type) == (200, "application/dash+xml")
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    return read_low_latency_mpd(await answer.text())


async def test_the_mpd_is_of_one_open_period(client, stage):
    told = await mpd(client)
    check_low_latency_mpd(told, stage.clock.wall_s())
    (period,) = told.periods
    video = period.video
    assert (period.start_s, video.first, video.duration) == (0.0, 0, 180_000)
    assert video.address(2) == "video/segment-2.m4s?period=0"
    # 2 s, less a part: the first part of segment 2 is promised for its end
    assert told.promised_s(period, video, 2) == pytest.approx(told.started_s + 4.0 + 0.525)


async def test_an_encoder_that_breaks_its_gop_begins_a_period(client, stage):
    before = await mpd(client)
    stage.window.apply(stage.script.segment(2))
    stage.part(0)
    told = await mpd(client)
    check_low_latency_mpd(told, stage.clock.wall_s())
    check_low_latency_update(before, told)
    first, second = told.periods
    assert first.video.last == 2
    assert first.duration_s is None, "the next one begins at once"
    assert (second.start_s, second.video.first, second.video.offset) == (5.0, 3, 450_000)


async def test_an_encoder_that_comes_back_begins_a_period_once_all_tracks_have_media(client, stage):
    before = await mpd(client)
    entries = stage.script.start("reconnect", wall_s=stage.clock.wall_s() + 30)
    stage.window.apply(entries)
    parts = stage.script.part(0)
    stage.window.apply([part for part in parts if part.rendition == "video"])
    assert len((await mpd(client)).periods) == 1
    stage.window.apply([part for part in parts if part.rendition == "audio"])
    told = await mpd(client)
    check_low_latency_mpd(told, stage.clock.wall_s())
    check_low_latency_update(before, told)
    first, second = told.periods
    assert (first.duration_s, first.video.last) == (4.0, 1)
    assert (second.start_s, second.video.first, second.video.offset) == (30.0, 2, 0)
    assert second.video.address(2).endswith("?period=1")


async def test_the_end_is_told(client, stage):
    stage.window.apply([StreamFinished(reason="host")])
    told = await mpd(client)
    assert told.attributes["mediaPresentationDuration"] == "PT4.000S"
    assert "minimumUpdatePeriod" not in told.attributes
    assert (told.periods[-1].duration_s, told.periods[-1].video.last) == (4.0, 1)


async def test_players_keep_away_from_parts_that_come_late(client, stage):
    """And from nobody's but those that came since somebody asked, in the last twenty seconds."""
    usual = await mpd(client)
    stage.clock.forward(4.5 + 1.2)
    stage.part(0)
    late = await mpd(client)
    assert late.target_s == pytest.approx(usual.target_s + 1.2)
    assert late.promised_s(late.periods[0], late.periods[0].video, 3) == pytest.approx(
        usual.promised_s(usual.periods[0], usual.periods[0].video, 3) + 1.0
    ), "in steps of half a segment"
    stage.clock.forward(31)
    stage.part(1)
    assert (await mpd(client)).target_s == usual.target_s


async def test_there_are_at_most_32_periods(client, stage):
    for _ in range(60):
        stage.window.apply(stage.script.segment(1))
    told = await mpd(client)
    assert len(told.periods) <= 32
    check_low_latency_mpd(told, stage.clock.wall_s())


async def test_the_session_goes_on_in_the_location(aiohttp_client, tmp_path):
    class Door:
        def open(self, stream_id, offered, request):
            return "good"

        def seen(self, stream_id, session, request):
            return None

    client = await aiohttp_client(Stage(tmp_path, viewings=Door()).live().app)
    answer = await client.get("/show/low-latency.mpd")
    assert "<Location>low-latency.mpd?session=good</Location>" in await answer.text()
    assert answer.headers["Cache-Control"] == "no-store"


async def test_the_mpd_is_made_once_for_all_who_ask_between_two_parts(client, stage, monkeypatch):
    made = []
    render = low_latency.low_latency_mpd
    monkeypatch.setattr(
        low_latency, "low_latency_mpd", lambda *a, **k: made.append(a) or render(*a, **k)
    )
    for _ in range(5):
        await mpd(client)
    assert len(made) == 1
    stage.part(0)
    await mpd(client)
    assert len(made) == 2


async def test_of_a_long_window_the_newest_ten_minutes_are_told(aiohttp_client, tmp_path):
    stage = Growing(tmp_path, window_s=float("inf"))
    client = await aiohttp_client(stage.app)
    stage.window.apply(stage.script.segments(402))
    (period,) = (await mpd(client)).periods
    assert (period.start_s, period.video.first) == (0.0, 0), "what was told of it stays"
    assert (await mpd(client)).attributes["timeShiftBufferDepth"] == "PT600.000S"


async def test_who_joins_between_two_keyframes_begins_with_the_last_one(client, stage):
    """In its Period there would be no other for who begins behind it."""
    usual = await mpd(client)
    stage.window.apply(stage.script.segment())  # begins with a keyframe, at 4 s
    for _ in range(2):
        for index in range(4):
            stage.window.apply(stage.script.part(index, independent=False))
        stage.window.apply(stage.script.close())
    stage.clock.forward(10.0)
    assert (await mpd(client)).target_s == pytest.approx(10.0 - 4.0)
    stage.window.apply(stage.script.segments(2))
    stage.clock.forward(4.0)
    assert (await mpd(client)).target_s == usual.target_s, "near the edge all begin with one"
