"""Clips while live, then the MP4, the poster and the storyboard of the recording: in ffprobe and
in Chromium."""

import json
import re
import subprocess
import urllib.error
import urllib.request

import pytest

from tests.support.processes import wait_until
from tests.support.pushers import FRAME_RATE, Pusher, count_frames, decode_complaints, duration_s

pytestmark = pytest.mark.e2e

MADE_S = 60.0


def fetch(url: str) -> tuple[int, str, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=15) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read()


def media(server, stream) -> dict:
    return server.expect(200, "GET", f"/streams/{stream.id}/media", token=stream.token)


def cut(server, stream, start: float, end: float, **fields) -> dict:
    body = {"start": start, "end": end, "title": "The mug", **fields}
    return server.expect(202, "POST", f"/streams/{stream.id}/clips", body, token=stream.token)


def wait_clip(server, stream, clip: dict) -> dict:
    path = f"/streams/{stream.id}/clips/{clip['id']}"
    found = clip

    def is_over() -> bool:
        nonlocal found
        found = server.expect(200, "GET", path, token=stream.token)
        return found["status"] in {"done", "failed"}

    wait_until(is_over, MADE_S, f"clip {clip['id']}")
    assert found["status"] == "done", found
    return found


def wait_media(server, stream) -> dict:
    found = {}

    def is_over() -> bool:
        nonlocal found
        found = media(server, stream)
        return found["status"] in {"done", "failed"}

    wait_until(is_over, MADE_S, f"media of {stream.id}")
    assert found["status"] == "done", found
    return found


def probe(url: str) -> dict:
    argv = ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", url]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


def plays_in_chromium(page, url: str) -> dict:
    """The file in a plain video element: what it says, and that a seek into it shows a picture."""
    return page.evaluate(
        """async (url) => {
          const video = document.createElement("video");
          video.muted = true;
          document.body.append(video);
          const happens = (name) => new Promise((done, fail) => {
            video.addEventListener(name, done, { once: true });
            video.addEventListener("error", () => fail(video.error.message), { once: true });
          });
          const loaded = happens("loadeddata");
          video.src = url;
          await loaded;
          await video.play();
          video.pause();  // or it would have gone on by the time that it is looked at
          const target = video.duration * 0.7;
          const sought = happens("seeked");
          const shown = new Promise((done) => {
            const look = (_, frame) => Math.abs(frame.mediaTime - target) < 0.5
              ? done() : video.requestVideoFrameCallback(look);
            video.requestVideoFrameCallback(look);
          });
          video.currentTime = target;
          await sought;
          const at = video.currentTime;
          await shown;
          return { duration: video.duration, width: video.videoWidth, height: video.videoHeight,
                   at, target };
        }""",
        url,
    )


def image_in_chromium(page, url: str) -> dict:
    return page.evaluate(
        """async (url) => {
          const image = new Image();
          image.src = url;
          await image.decode();
          return { width: image.naturalWidth, height: image.naturalHeight };
        }""",
        url,
    )


def test_from_a_clip_while_live_to_the_media_of_the_recording(server, clip, browser):
    stream = server.live_stream("derived")
    with Pusher(clip, server.push_url(stream.key), loop=True) as pusher:
        wait_until(lambda: server.stream(stream)["thumbnail_url"], 20, "a live thumbnail")
        thumbnail = server.stream(stream)["thumbnail_url"]
        assert fetch(thumbnail)[:2] == (200, "image/jpeg")
        pusher.wait_frames(9 * FRAME_RATE)
        wait_until(lambda: media(server, stream)["clippable"]["end"] > 7.5, 10, "7.5 s of media")
        live = wait_clip(server, stream, cut(server, stream, 3.0, 7.4))
        exact = wait_clip(server, stream, cut(server, stream, 3.0, 7.4, exact=True))
        server.end(stream)
    recorded_s = duration_s(server.vod(stream.id))
    made = wait_media(server, stream)
    late = wait_clip(server, stream, cut(server, stream, 1.0, 4.0))

    check_clips(live, exact, late)
    assert made["mp4"]["url"] == server.vod(stream.id, "mp4")
    assert made["mp4"]["duration"] == pytest.approx(recorded_s, abs=0.1)
    assert count_frames(made["mp4"]["url"]) == count_frames(server.vod(stream.id))
    assert decode_complaints(made["mp4"]["url"]) == ""
    assert server.stream(stream)["thumbnail_url"] == made["poster"]["url"]
    with browser.page(server.url) as page:
        for url, seconds in (
            (made["mp4"]["url"], made["mp4"]["duration"]),
            (live["url"], live["duration"]),
            (exact["url"], exact["duration"]),
        ):
            played = plays_in_chromium(page, url)
            assert (played["width"], played["height"]) == (1920, 1080), url
            # Chromium adds up what samples last: where an encoder is cut off before B-frames that
            # its last picture was sent ahead of, that is two frames less than what is shown.
            assert played["duration"] == pytest.approx(seconds, abs=0.1), url
            assert played["at"] == pytest.approx(played["target"], abs=0.01), url
        assert image_in_chromium(page, made["poster"]["url"]) == {"width": 1280, "height": 720}
        check_storyboard(page, made["storyboard"]["url"], recorded_s)
    with browser.watch_page(server.watch(stream.id)) as watched:
        watched.wait_playing()
        check_watch_page(watched.page, made)


def check_clips(live: dict, exact: dict, late: dict) -> None:
    """Copied from the keyframe before the start; exact to the frame; from the recording, too."""
    assert live["shows"]["start"] == pytest.approx(2.0, abs=0.02)
    assert 7.4 <= live["shows"]["end"] <= 7.8
    assert exact["shows"] == {"start": pytest.approx(3.0, abs=0.02), "end": pytest.approx(7.4)}
    assert late["shows"]["start"] == pytest.approx(0.0, abs=0.02)
    for one in (live, exact, late):
        assert decode_complaints(one["url"]) == ""
        streams = {stream["codec_type"]: stream for stream in probe(one["url"])["streams"]}
        assert streams["video"]["codec_tag_string"] == "avc1"
        assert streams["audio"]["codec_tag_string"] == "mp4a"
        assert float(probe(one["url"])["format"]["duration"]) == pytest.approx(
            one["duration"], abs=0.05
        )
        assert fetch(one["posterUrl"])[:2] == (200, "image/jpeg")
    assert count_frames(exact["url"]) == round(4.4 * FRAME_RATE)


def check_storyboard(page, url: str, recorded_s: float) -> None:
    """Its cues cover the recording, and name tiles within their sheets."""
    status, kind, text = fetch(url)
    assert (status, kind.partition(";")[0]) == (200, "text/vtt")
    cues = re.findall(r"--> (\S+)\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)", text.decode())
    assert len(cues) >= 4
    hours, minutes, seconds = cues[-1][0].split(":")
    assert int(hours) * 3600 + int(minutes) * 60 + float(seconds) == pytest.approx(
        recorded_s, abs=0.5
    )
    for name in {cue[1] for cue in cues}:
        sheet = image_in_chromium(page, f"{url.rpartition('/')[0]}/{name}")
        for _, of, x, y, width, height in cues:
            if of == name:
                assert int(x) + int(width) <= sheet["width"]
                assert int(y) + int(height) <= sheet["height"]


def check_watch_page(page, made: dict) -> None:
    """It shows the poster before it plays, and the storyboard's tile of where a seek goes."""
    assert page.evaluate("document.getElementById('video').poster") == made["poster"]["url"]
    # Not wait_for_function: it evaluates strings in the page, which its policy forbids.
    wait_until(lambda: page.evaluate("storyboard.tiles.length") > 0, 15, "the storyboard")
    shown = page.evaluate(
        """async () => {
          const preview = document.getElementById("preview");
          const seen = new Promise((done) => {
            new MutationObserver(() => preview.hidden || done(
              preview.style.backgroundImage + preview.style.backgroundPosition
            )).observe(preview, { attributes: true });
          });
          video.currentTime = storyboard.tiles[2].start + 0.1;
          return seen;
        }"""
    )
    tile = page.evaluate("storyboard.tiles[2]")
    assert tile["sheet"] in shown
    assert f"-{tile['x']}px" in shown


def test_derived_media_of_a_limited_stream_need_its_token(server, clip):
    stream = server.live_stream("derived-limited", audience="followers")
    with Pusher(clip, server.push_url(stream.key), loop=True) as pusher:
        pusher.wait_frames(5 * FRAME_RATE)
        wait_until(lambda: server.stream(stream)["thumbnail_url"], 20, "a live thumbnail")
        thumbnail = server.stream(stream)["thumbnail_url"]
        cut_one = wait_clip(server, stream, cut(server, stream, 0.0, 3.0))
        token = playback_token(server, stream)
        check_protected(server, thumbnail, token)
        server.end(stream)
    made = wait_media(server, stream)
    token = playback_token(server, stream)
    urls = [made[name]["url"] for name in ("mp4", "poster", "storyboard")]
    for url in (*urls, cut_one["url"], cut_one["posterUrl"]):
        check_protected(server, url, token)


def playback_token(server, stream) -> str:
    answer = server.expect(200, "POST", f"/streams/{stream.id}/playback-token", token=stream.token)
    server.secrets.add(answer["token"])
    return answer["token"]


def check_protected(server, url: str, token: str) -> None:
    path = url.removeprefix(server.url)
    assert fetch(url)[0] == 403, url
    assert fetch(f"{server.url}/~{'A' * 32}{path}")[0] == 403, url
    assert fetch(f"{server.url}/~{token}{path}")[0] == 200, url


def test_a_stream_that_is_not_recorded_keeps_clips_alone(server, clip):
    stream = server.live_stream("derived-unrecorded", record_stream=False)
    with Pusher(clip, server.push_url(stream.key), loop=True) as pusher:
        pusher.wait_frames(5 * FRAME_RATE)
        wait_until(lambda: server.stream(stream)["thumbnail_url"], 20, "a live thumbnail")
        cut_one = cut(server, stream, 0.0, 3.0)
        server.end(stream)
    assert fetch(wait_clip(server, stream, cut_one)["url"])[0] == 200
    wait_until(lambda: server.stream(stream)["thumbnail_url"] is None, 10, "no thumbnail")
    assert media(server, stream)["status"] is None
    assert fetch(server.vod(stream.id, "mp4"))[0] == 404
