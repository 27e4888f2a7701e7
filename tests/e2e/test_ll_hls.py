"""Low-Latency HLS and DASH on the wire: a live run read once per part, against the standards."""

import os
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urljoin

import pytest

from tests.support.fragments import read_chunks
from tests.support.http_get import get
from tests.support.llhls_rules import (
    apply_delta,
    check_playlist,
    check_succession,
    read_playlist,
)
from tests.support.mpd_reader import MpdReader
from tests.support.pushers import FRAME_RATE, Pusher
from tests.support.servers import golive_server

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

READ_S = float(os.environ.get("GOLIVE_TEST_CONFORMANCE_S", "25"))
"""How long the playlists are read; 120 for the full length."""

DVR_S = 14
TIMESCALES = {"video": 90_000, "audio": 48_000}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = {"GOLIVE_DVR_WINDOW_S": str(DVR_S)}
    with golive_server(tmp_path_factory.mktemp("golive"), settings) as started:
        yield started


@pytest.fixture(scope="module")
def stream(server, clip):
    live = server.live_stream("conformance")
    with Pusher(clip, server.push_url(live.key), loop=True) as pusher:
        pusher.wait_frames(3 * FRAME_RATE)
        yield live


def fetch(url: str):
    status, body, _ = get(url)
    assert status == 200, (url, status, body)
    return read_playlist(body.decode())


def next_request(playlist) -> str:
    """The directives for the part behind the last one listed."""
    last = playlist.last
    if last.uri:
        return f"_HLS_msn={last.msn + 1}&_HLS_part=0"
    return f"_HLS_msn={last.msn}&_HLS_part={len(last.parts)}"


def test_a_live_run_keeps_every_rule(server, stream):
    """Both renditions, each read once per part."""
    with ThreadPoolExecutor() as pool:
        for read in [pool.submit(read_live_run, server, stream, name) for name in TIMESCALES]:
            read.result()


def read_live_run(server, stream, name):
    """Rules of each playlist, of their succession, and of what they name."""
    url = f"{server.url}/live/{stream.id}/{name}.m3u8"
    playlist = fetch(url)
    mpd = MpdReader(f"{server.url}/live/{stream.id}/manifest.mpd", get)
    parts_seen, reads = {}, 0
    deadline_s = time.monotonic() + READ_S
    with ThreadPoolExecutor(1) as ahead:
        while time.monotonic() < deadline_s:
            check_playlist(playlist)
            mpd.read()
            hinted = ahead.submit(get, urljoin(url, playlist.hint))
            wanted = next_request(playlist)
            newer = fetch(f"{url}?{wanted}")
            check_succession(playlist, newer)
            assert listed_parts(newer)[-1] not in set(listed_parts(playlist)), "bis §6.2.5.2"
            assert newer.hint != playlist.hint
            assert playlist.hint in listed_parts(newer), "bis §6.2.6: the hint came true"
            status, body, headers = hinted.result()
            assert status == 200, "bis §6.2.6: a hinted part is served when it is there"
            parts_seen[playlist.hint] = body
            assert "immutable" in headers["Cache-Control"]
            reads += 1
            playlist = newer
    assert reads > READ_S * 3, "about five parts a second"
    assert playlist.media_sequence > 0 or READ_S < DVR_S
    check_segments_are_their_parts(url, playlist, parts_seen)
    check_parts_last_as_told(playlist, parts_seen, TIMESCALES[name])
    assert mpd.reads == reads
    assert mpd.segments > READ_S / 2
    print(f"{name}: {reads} playlists, {mpd.reads} MPDs, {mpd.segments} segments compared")


def listed_parts(playlist) -> list[str]:
    return [part.uri for segment in playlist.segments for part in segment.parts]


def check_segments_are_their_parts(url, playlist, parts_seen):
    """bis §6.2.1: a Media Segment is the concatenation of its Partial Segments."""
    compared = 0
    for segment in playlist.finished:
        uris = [part.uri for part in segment.parts]
        if uris and all(uri in parts_seen for uri in uris):
            assert get(urljoin(url, segment.uri))[1] == b"".join(parts_seen[u] for u in uris)
            compared += 1
    assert compared >= 1


def check_parts_last_as_told(playlist, parts_seen, timescale):
    """bis §4.4.4.9: DURATION is that of the Partial Segment."""
    told = {part.uri: part.duration_s for segment in playlist.segments for part in segment.parts}
    compared = told.keys() & parts_seen.keys()
    assert compared
    for uri in compared:
        ticks = sum(chunk.duration for chunk in read_chunks(parts_seen[uri]))
        assert abs(ticks / timescale - told[uri]) < 0.0001


def test_renditions_are_reported_on(server, stream):
    url = f"{server.url}/live/{stream.id}/video.m3u8"
    video = fetch(url)
    (report,) = video.reports
    assert report["URI"] == "audio.m3u8"
    audio = fetch(urljoin(url, report["URI"]))
    assert abs(int(report["LAST-MSN"]) - audio.last.msn) <= 1


def test_a_delta_update_is_the_playlist_without_what_the_client_has(server, stream):
    url = f"{server.url}/live/{stream.id}/video.m3u8"
    full = fetch(url)
    while sum(s.duration_s for s in full.finished) < DVR_S:
        full = fetch(f"{url}?_HLS_msn={full.last.msn + 1}")
    delta = fetch(f"{url}?{next_request(full)}&_HLS_skip=YES")
    now = fetch(url)
    assert delta.skipped >= 1
    client = apply_delta(full, delta)
    server_side = [(s.msn, s.uri) for s in now.segments]
    shared = [entry for entry in client if entry in server_side]
    assert shared == [entry for entry in server_side if entry[0] <= client[-1][0]][: len(shared)]
    assert len(delta.text) < len(now.text)


def test_msn_alone_waits_for_the_whole_segment(server, stream):
    url = f"{server.url}/live/{stream.id}/video.m3u8"
    wanted = fetch(url).last.msn + 1
    playlist = fetch(f"{url}?_HLS_msn={wanted}")
    assert next(s for s in playlist.segments if s.msn == wanted).uri


@pytest.mark.parametrize(
    "query",
    [
        "_HLS_msn=abc",
        "_HLS_msn=-1",
        "_HLS_msn=1.5",
        "_HLS_msn=",
        "_HLS_msn=99999999",
        "_HLS_msn=99999999999999999999999999",
        "_HLS_part=1",
        "_HLS_msn=1&_HLS_part=x",
        "_HLS_msn=1&_HLS_part=-2",
        "_HLS_skip=maybe",
    ],
)
def test_bad_directives_are_a_problem_that_says_so(server, stream, query):
    """bis §6.2.5.2: 400 for what is malformed or too far ahead."""
    status, body, headers = get(f"{server.url}/live/{stream.id}/video.m3u8?{query}")
    assert status == 400, body
    assert headers["Content-Type"].startswith("application/problem+json")
    assert b"_HLS_" in body


def test_removed_segments_can_still_be_fetched(server, stream):
    """RFC 8216 §6.2.2: for their duration and that of the playlist that listed them."""
    url = f"{server.url}/live/{stream.id}/video.m3u8"
    before = fetch(url)
    first = before.finished[0]
    playlist = before
    while playlist.media_sequence <= first.msn:
        playlist = fetch(f"{url}?_HLS_msn={playlist.last.msn + 1}")
    assert get(urljoin(url, first.uri))[0] == 200


def test_playlists_are_compressed_and_media_are_for_ever(server, stream):
    url = f"{server.url}/live/{stream.id}/video.m3u8"
    request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    segment = fetch(url).finished[-1]
    assert "immutable" in get(urljoin(url, segment.uri))[2]["Cache-Control"]
