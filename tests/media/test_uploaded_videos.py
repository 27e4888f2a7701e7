"""The media task on files: rotation, timing, alignment of the sizes, posters, refusals."""

import contextlib
import json
import random
import subprocess
import time
import xml.etree.ElementTree as ET

import av
import msgspec
import pytest

from ingest.errors import MediaRefused
from ingest.transcode.limits import MediaLimits
from ingest.transcode.objects import VideoRequest, made_files
from ingest.transcode.upload import process
from tests.support.video_outputs import of_kind, probe

SECONDS = 6


def ffmpeg(*arguments):
    subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, arguments)], check=True, timeout=120
    )


def made(source, folder, poster_s=1.0, limits=None):
    folder.mkdir()
    request = VideoRequest(
        source=str(source),
        folder=str(folder),
        poster_s=poster_s,
        wall_s=time.time(),
        limits=limits or MediaLimits(),
    )
    told = []
    answer = process(msgspec.to_builtins(request), told.append)
    assert told == sorted(told)
    return json.loads(json.dumps(answer))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Six seconds, so that there are two segments; large enough for two sizes."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    ffmpeg(
        *("-f", "lavfi", "-i", f"testsrc2=s=1600x900:r=30000/1001:d={SECONDS}"),
        *("-f", "lavfi", "-i", f"sine=d={SECONDS}"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", path),
    )
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Two seconds of little pictures."""
    path = tmp_path_factory.mktemp("small") / "small.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x180:r=30:d=2", "-pix_fmt", "yuv420p", path)
    return path


@pytest.fixture(scope="module")
def folder(clip, tmp_path_factory):
    """What was made of the clip, the poster at 2.02 s."""
    folder = tmp_path_factory.mktemp("made") / "clip"
    made(clip, folder, poster_s=2.02)
    return folder


def psnr(one, other):
    """Mean over the picture, in dB."""
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-i", one, "-i", other, "-lavfi", "psnr", "-f", "null", "-"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return float(done.stderr.split("average:")[1].split()[0])


def test_all_sizes_and_the_sound_are_cut_at_the_same_times(folder):
    tree = ET.parse(folder / "manifest.mpd")
    space = {"d": "urn:mpeg:dash:schema:mpd:2011"}
    lines = {}
    for representation in tree.findall(".//d:Representation", space):
        template = representation.find("d:SegmentTemplate", space)
        start, times = 0, []
        scale = int(template.get("timescale"))
        assert int(template.get("presentationTimeOffset")) > 0
        for entry in template.find("d:SegmentTimeline", space):
            start = int(entry.get("t", start))
            for _ in range(int(entry.get("r", 0)) + 1):
                times.append(start / scale)
                start += int(entry.get("d"))
        lines[representation.get("id")] = times
    assert lines["900p"] == lines["720p"]
    assert len(lines["900p"]) == len(lines["audio"]) == 2
    for picture, sound in zip(lines["900p"], lines["audio"], strict=True):
        assert abs(picture - sound) < 1024 / 48_000 + 0.001


def test_every_segment_begins_with_a_keyframe_and_times_are_even(folder, tmp_path):
    for name in ("900p", "720p"):
        whole = (folder / name / "init-0.mp4").read_bytes()
        keys, times = [], []
        for number in range(2):
            data = whole + (folder / name / f"segment-{number}.m4s").read_bytes()
            (tmp_path / "one.mp4").write_bytes(data)
            with av.open(str(tmp_path / "one.mp4")) as container:
                packets = [p for p in container.demux(video=0) if p.size]
            assert packets[0].is_keyframe
            keys += [p.pts for p in packets if p.is_keyframe]
            times += [p.pts for p in packets]
        assert len(times) == 180
        assert len(set(times)) == 180
        steps = {b - a for a, b in zip(sorted(times), sorted(times)[1:], strict=False)}
        assert steps == {3003}
        assert [(key - keys[0]) / 3003 for key in keys] == [0, 60, 120]


def test_sound_and_picture_stay_together(tmp_path):
    """A flash and a beep at 2 s, found again in what was made."""
    source = tmp_path / "flash.mp4"
    ffmpeg(
        *("-f", "lavfi", "-i", "color=c=black:s=320x180:r=30:d=4"),
        *("-f", "lavfi", "-i", "sine=f=1000:d=4:r=44100"),
        *("-vf", "drawbox=c=white:t=fill:enable='gte(t,2)'", "-af", "volume=0:enable='lt(t,2)'"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", source),
    )
    made(source, tmp_path / "made")
    flash = beep = None
    with av.open(str(tmp_path / "made" / "index.m3u8")) as container:
        for frame in container.decode(video=0):
            if bytes(frame.planes[0])[1000] > 128:
                flash = frame.time
                break
    with av.open(str(tmp_path / "made" / "index.m3u8")) as container:
        for frame in container.decode(audio=0):
            values = memoryview(frame.planes[0]).cast("f")
            if max(map(abs, values)) > 0.02:
                beep = frame.time
                break
    assert flash is not None
    assert beep is not None
    assert abs(flash - beep) < 0.045, (flash, beep)  # a picture and a frame of sound


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_pictures_are_upright(small, tmp_path, turn):
    source, expected = tmp_path / "turned.mp4", tmp_path / "expected.png"
    ffmpeg("-i", small, "-c", "copy", "-t", "1", "-metadata:s:v:0", f"rotate={turn}", source)
    answer = made(source, tmp_path / "made", poster_s=0.0)
    assert (answer["width"], answer["height"]) == ((320, 180) if turn == 180 else (180, 320))
    ffmpeg("-i", source, "-frames:v", "1", expected)  # ffmpeg turns it, too
    assert psnr(tmp_path / "made" / "poster.jpg", expected) > 30


def test_the_poster_is_the_picture_of_its_moment(clip, folder, tmp_path):
    expected, other = tmp_path / "expected.png", tmp_path / "other.png"
    ffmpeg("-ss", "2.0", "-i", clip, "-frames:v", "1", expected)
    ffmpeg("-ss", "4.0", "-i", clip, "-frames:v", "1", other)
    poster = folder / "poster.jpg"
    assert psnr(poster, expected) > psnr(poster, other) + 10


def test_a_poster_behind_the_end_is_the_last_picture(tmp_path):
    source = tmp_path / "short.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x180:r=30:d=0.5", "-pix_fmt", "yuv420p", source)
    made(source, tmp_path / "made", poster_s=3600.0)
    (picture,) = of_kind(probe(str(tmp_path / "made" / "poster.jpg")), "video")
    assert (picture["width"], picture["height"]) == (320, 180)


def test_a_slide_show_keeps_its_length(tmp_path):
    """A picture every four seconds: players want them more often."""
    source = tmp_path / "slides.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x180:r=1/4:d=16", "-pix_fmt", "yuv420p", source)
    answer = made(source, tmp_path / "made")
    assert answer["frameRate"] == 10
    assert abs(answer["duration"] - 16) < 4.2  # the last slide's length is not in every file
    (video,) = of_kind(probe(str(tmp_path / "made" / "180p.m3u8")), "video")
    assert int(video["nb_read_frames"]) == round(answer["duration"] * 10)


def test_hdr_becomes_sdr_and_says_so(tmp_path):
    source = tmp_path / "hlg.mov"
    hlg = "colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc"
    ffmpeg(
        *("-f", "lavfi", "-i", "color=c=gray:s=320x180:r=30:d=0.5", "-pix_fmt", "yuv420p10le"),
        *("-c:v", "libx265", "-x265-params", f"log-level=none:{hlg}", "-tag:v", "hvc1", source),
    )
    made(source, tmp_path / "made")
    with av.open(str(tmp_path / "made" / "index.m3u8")) as container:
        frame = next(container.decode(video=0))
    assert (frame.color_primaries, frame.color_trc, frame.colorspace) == (1, 1, 1)
    # HLG keeps its upper half for highlights: mid-grey of its signal is brighter on an SDR screen.
    assert bytes(frame.planes[0])[5000] > 126 + 10


def test_sound_that_begins_late_begins_late(tmp_path):
    source = tmp_path / "late.mkv"
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=30:d=3"),
        *("-itsoffset", "1", "-f", "lavfi", "-i", "sine=d=2"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", source),
    )
    made(source, tmp_path / "made")
    loud = []
    with av.open(str(tmp_path / "made" / "audio.m3u8")) as container:
        for frame in container.decode(audio=0):
            values = memoryview(frame.planes[0]).cast("f")
            loud.append(max(map(abs, values)) > 0.02)
    silent_s = loud.index(True) * 1024 / 48_000
    assert abs(silent_s - 1.0) < 0.06


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (MediaLimits(max_duration_s=5.0), "too_long"),
        (MediaLimits(max_pixels=1600 * 900 - 1), "too_many_pixels"),
    ],
)
def test_limits_hold_before_anything_is_made(clip, tmp_path, limits, reason):
    with pytest.raises(MediaRefused) as caught:
        made(clip, tmp_path / "made", limits=limits)
    assert caught.value.reason == reason
    assert list((tmp_path / "made").iterdir()) == []


def test_a_length_that_the_file_does_not_tell_is_limited_all_the_same(small, tmp_path):
    source = tmp_path / "live.mkv"
    ffmpeg("-i", small, "-c", "copy", "-f", "matroska", "-live", "1", source)
    with pytest.raises(MediaRefused) as caught:
        made(source, tmp_path / "made", limits=MediaLimits(max_duration_s=1.0))
    assert caught.value.reason == "too_long"


def test_pictures_that_grow_beyond_what_the_container_says_are_not_decoded(tmp_path):
    good, source = tmp_path / "good.mov", tmp_path / "source.mov"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.2", "-c:v", "mjpeg", good)
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=1280x720:r=25:d=0.2", "-c:v", "mjpeg", source)
    data = bytearray(source.read_bytes())
    entry = data.find(b"jpeg", data.find(b"stsd"))
    data[entry + 28 : entry + 32] = (64).to_bytes(2) + (48).to_bytes(2)
    source.write_bytes(data)
    with pytest.raises(MediaRefused):
        made(source, tmp_path / "made", limits=MediaLimits(max_pixels=100 * 100))
    assert made(good, tmp_path / "good", limits=MediaLimits(max_pixels=100 * 100))


@pytest.mark.parametrize("kind", ["wav", "png", "srt"])
def test_what_is_no_video_is_refused(tmp_path, kind):
    source = tmp_path / f"source.{kind}"
    if kind == "wav":
        ffmpeg("-f", "lavfi", "-i", "sine=d=1", "-f", "matroska", source)
    elif kind == "png":
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48", "-frames:v", "1", source)
    else:
        source.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    with pytest.raises(MediaRefused) as caught:
        made(source, tmp_path / "made")
    assert caught.value.reason == ("no_video" if kind == "wav" else "not_media")


def test_text_in_another_encoding_does_no_harm(small, tmp_path):
    source = tmp_path / "titled.mkv"
    ffmpeg("-i", small, "-c", "copy", "-metadata", "title=ABCDEF", source)
    source.write_bytes(source.read_bytes().replace(b"ABCDEF", "Tür 1".encode("latin-1") + b"!"))
    assert made(source, tmp_path / "made")["damaged"] is False


def test_any_damage_ends_in_a_result_or_in_a_refusal(small, tmp_path):
    chance, whole = random.Random(7), small.read_bytes()
    for number in range(20):
        data = bytearray(whole)
        for _ in range(chance.choice([1, 10, 100])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        source = tmp_path / f"{number}.mp4"
        source.write_bytes(data[: chance.randrange(len(data) // 2, len(data))])
        with contextlib.suppress(MediaRefused):
            assert made(source, tmp_path / str(number))["renditions"]


def test_what_lists_the_media_is_stored_last(folder):
    media, lists = made_files(folder)
    assert {file.name for file in media} >= {"poster.jpg", "720p/init-0.mp4", "audio/segment-1.m4s"}
    assert [file.name for file in lists] == [
        "720p.m3u8",
        "900p.m3u8",
        "audio.m3u8",
        "manifest.mpd",
        "index.m3u8",
    ]
