"""Recordings of streams for followers, kept in buckets: who has no token gets nothing."""

import urllib.request

import pytest

from tests.e2e.test_playback_access import playback_token, status
from tests.support.processes import wait_until
from tests.support.pushers import Pusher, count_frames
from tests.support.s3 import KEY_ID, SECRET, S3Server, missing_programs
from tests.support.servers import golive_server

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def s3():
    if missing_programs():
        pytest.skip(f"not installed: {', '.join(missing_programs())}")
    server = S3Server()
    try:
        server.start()
        yield server
    finally:
        server.close()


def recorded(server, clip, username):
    """An ended stream for followers, its recording's address, and how many frames it has."""
    stream = server.live_stream(username, audience="followers")
    with Pusher(clip, server.push_url(stream.key), duration_s=5) as pusher:
        assert pusher.wait() == 0
        sent = pusher.frames
    server.wait_ingest(stream, "interrupted")
    server.end(stream)
    wait_until(lambda: server.stream(stream)["vod_url"], 20, "the VOD")
    return stream, server.stream(stream)["vod_url"], sent


@pytest.mark.parametrize("has_private_bucket", [True, False])
def test_a_limited_recording_plays_with_its_token_only(s3, tmp_path, clip, has_private_bucket):
    public, private = s3.bucket(public=True), s3.bucket()
    settings = {
        "GOLIVE_STORE_URL": f"s3://{public}/shop",
        "GOLIVE_PRIVATE_STORE_URL": f"s3://{private}/kept" if has_private_bucket else "",
        "GOLIVE_S3_ENDPOINT": s3.endpoint,
        "GOLIVE_S3_ACCESS_KEY_ID": KEY_ID,
        "GOLIVE_S3_SECRET_ACCESS_KEY": SECRET,
    }
    with golive_server(tmp_path / "data", settings) as server:
        stream, url, sent = recorded(server, clip, "limited")
        assert url == f"{server.url}/vods/{stream.id}.m3u8"
        token = playback_token(server, stream, stream.token)
        playing = url.replace("/vods/", f"/~{token}/vods/")
        names = [".m3u8", ".mpd", "/video.m3u8", "/video/segment-0.m4s", "/video/init-0.mp4"]
        for name in names:
            assert status(url.replace(".m3u8", name)) == 403, name
            assert status(playing.replace(".m3u8", name)) == 200, name
        assert status(playing.replace(".m3u8", "/video/segment-999.m4s")) in {403, 404}
        for playlist in (playing, playing.replace(".m3u8", ".mpd")):
            assert count_frames(playlist) == sent
        assert s3.contents(public) == {}
        keys = set(s3.contents(private))
        assert bool(keys) == has_private_bucket
        assert all(key.startswith(f"kept/vods/{stream.id}") for key in keys)
        wait_until(lambda: server.stream(stream)["mp4_url"], 60, "the MP4")
        made = server.stream(stream)
        assert s3.contents(public) == {}
        for url_of_made in (made["mp4_url"], made["poster_url"], made["storyboard_url"]):
            assert url_of_made.startswith(f"{server.url}/vods/{stream.id}")
            assert status(url_of_made) == 403
            assert status(url_of_made.replace("/vods/", f"/~{token}/vods/")) == 200
        if has_private_bucket:
            assert status(f"{s3.endpoint}/{private}/kept/vods/{stream.id}.m3u8") == 403
            with urllib.request.urlopen(playing.replace(".m3u8", "/video/init-0.mp4")) as answer:
                assert answer.headers["Cache-Control"].startswith("private")
        gone = server.expect(200, "DELETE", f"/streams/{stream.id}/recording", token=stream.token)
        assert gone["state"] == "deleted"
        assert s3.contents(private) == {}
        assert status(playing) == 404
        after = server.stream(stream)
        assert {after[name] for name in ("vod_url", "mp4_url", "poster_url")} == {None}
