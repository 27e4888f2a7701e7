"""Streams for followers play with their token only: playlists, parts, segments, MPD and VOD."""

import urllib.error
import urllib.request

import pytest

from tests.support.pushers import FRAME_RATE, Pusher

pytestmark = pytest.mark.e2e


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=15) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def playback_token(server, stream, token) -> str:
    answer = server.api("POST", f"/streams/{stream.id}/playback-token", None, token)
    assert answer.status in {200, 201}, answer
    server.secrets.add(answer.data["token"])
    return answer.data["token"]


MEDIA = [
    "/live/{id}/index.m3u8",
    "/live/{id}/video.m3u8",
    "/live/{id}/manifest.mpd",
    "/live/{id}/video/init-0.mp4",
    "/live/{id}/video/segment-0.m4s",
    "/live/{id}/video/part-0.m4s",
]
VOD = ["/vods/{id}.m3u8", "/vods/{id}.mpd", "/vods/{id}/video/segment-0.m4s"]


def test_a_stream_for_followers_plays_with_its_token_only(server, clip):
    stream = server.live_stream("limited", audience="followers")
    other = server.live_stream("limited-other", audience="followers")
    mine = playback_token(server, stream, stream.token)
    foreign = playback_token(server, other, other.token)
    with Pusher(clip, server.push_url(stream.key), loop=True) as pusher:
        pusher.wait_frames(5 * FRAME_RATE)
        check(server, stream, MEDIA, mine, foreign)
        server.end(stream)
    check(server, stream, VOD, mine, foreign)


def check(server, stream, paths, mine, foreign):
    for path in paths:
        plain = path.format(id=stream.id)
        assert status(server.url + plain) == 403, path
        assert status(f"{server.url}/~{foreign}{plain}") == 403, path
        assert status(f"{server.url}/~{'A' * 32}{plain}") == 403, path
        assert status(f"{server.url}/~{mine}{plain}") == 200, path


def test_a_viewer_who_does_not_follow_gets_no_token(server):
    stream = server.live_stream("limited-again", audience="followers")
    stranger = server.token("stranger")
    answer = server.api("POST", f"/streams/{stream.id}/playback-token", None, stranger)
    assert answer.status == 403


def test_the_path_that_decides_is_the_path_that_is_sent(server, clip):
    """`/live/{open}/../{closed}/…` asks about the stream whose file it names."""
    closed = server.live_stream("closed", audience="followers")
    opened = server.live_stream("opened")
    with Pusher(clip, server.push_url(closed.key), loop=True) as pusher:
        pusher.wait_frames(4 * FRAME_RATE)
        url = f"{server.url}/live/{opened.id}/../{closed.id}/video/segment-0.m4s"
        assert status(url) == 403
