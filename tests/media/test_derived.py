"""MP4s, clips and pictures that are made from real recordings, as ffmpeg and ffprobe see them."""

import re
import subprocess
from itertools import pairwise

import pytest

from ingest.derive.chunks import load_chunks
from ingest.derive.clip import cut_at_chunks
from ingest.derive.cut import Span
from ingest.derive.exact_clip import cut_at_frames
from ingest.derive.mp4 import write_mp4
from ingest.derive.pictures import write_pictures
from ingest.derive.recording import Recording, recording_from_playlists
from ingest.derive.requests import StoryboardRules
from ingest.errors import MalformedMedia, MediaRefused
from ingest.media import MediaKind
from ingest.packaging.boxes import walk
from tests.support.derived import brightness, journalled
from tests.support.media import StreamPackager, ffmpeg_complaints, ffprobe_packets

V, A = MediaKind.VIDEO, MediaKind.AUDIO


class Derived:
    """A recording in the live folder, and what can be asked of it."""

    def __init__(self, packager: StreamPackager) -> None:
        self.packager = packager
        self.recording: Recording = journalled(packager.folder)

    def file(self, name):
        return self.packager.folder / name


@pytest.fixture
def derived(tmp_path):
    """Packages clips one after the other into one recording."""

    def make(*clips, finish=True):
        packager = StreamPackager(tmp_path)
        for clip in clips:
            packager.run(clip.tracks, clip.packets, finish=finish)
        return Derived(packager)

    return make


def stream_tags(path):
    argv = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_tag_string", "-of", "csv=p=0"]
    done = subprocess.run([*argv, str(path)], capture_output=True, text=True, check=True)
    return done.stdout.split()


def sent(clips, kind):
    return sum(len(clip.of_kind(kind)) for clip in clips)


# --- the whole recording as an MP4 ------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "tags"),
    [
        pytest.param({"b_frames": 2}, ["avc1", "mp4a"], id="H.264, two B-frames"),
        pytest.param({"video_codec": "libx265"}, ["hvc1", "mp4a"], id="HEVC"),
        pytest.param({"video_codec": "libsvtav1", "seconds": 2}, ["av01", "mp4a"], id="AV1"),
        pytest.param({"audio_codec": "libopus"}, ["avc1", "Opus"], id="Opus"),
        pytest.param({"vfr": True, "b_frames": 2}, ["avc1", "mp4a"], id="variable frame rate"),
        pytest.param({"video": False}, ["mp4a"], id="sound alone"),
        pytest.param({"audio": False}, ["avc1"], id="pictures alone"),
    ],
)
def test_every_frame_of_a_recording_is_in_its_mp4_in_sync(tmp_path, clips, derived, changes, tags):
    clip = clips.clip(**changes)
    show = derived(clip)
    out = tmp_path / "show.mp4"

    mp4 = write_mp4(show.recording, show.file, out)

    assert mp4.size == out.stat().st_size
    assert stream_tags(out) == tags
    assert ffmpeg_complaints(out) == ""
    shifts = []
    for kind in (V, A):
        found = [p for p in ffprobe_packets(out) if p.kind is kind]
        packets = clip.of_kind(kind)[-len(found) :] if found else []
        assert len(clip.of_kind(kind)) - len(found) <= 2  # sound before the first picture
        assert [p.size for p in found] == [len(p.data) for p in packets]
        shifts += [f.pts_s - p.pts_ms / 1000 for f, p in zip(found, packets, strict=True)]
    assert max(shifts) - min(shifts) <= 0.020
    assert mp4.duration_s == pytest.approx(changes.get("seconds", 4), abs=0.1)


def test_the_mp4_starts_at_once_its_tables_stand_in_front(tmp_path, clips, derived):
    show = derived(clips.clip(b_frames=2))
    out = tmp_path / "show.mp4"
    write_mp4(show.recording, show.file, out)
    assert [box.kind for box in walk(out.read_bytes())] == [b"ftyp", b"moov", b"mdat"]


async def test_the_published_playlists_tell_the_same_as_the_journal(tmp_path, clips, derived):
    show = derived(clips.clip(b_frames=2, seconds=6), clips.clip(width=96, height=64))
    whole = tmp_path / "journal.mp4"
    write_mp4(show.recording, show.file, whole)

    published = await show.packager.publish()
    folder = published.store_root / "vods/show"
    texts = {kind: (folder / f"{kind}.m3u8").read_text() for kind in MediaKind}
    recording = recording_from_playlists(texts)
    again = tmp_path / "playlists.mp4"
    write_mp4(recording, lambda name: folder / name, again)
    assert again.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("second", "entries"),
    [
        pytest.param({"b_frames": 2}, 2, id="a reconnect"),
        pytest.param({"width": 96, "height": 64, "seconds": 6}, 2, id="another picture size"),
        pytest.param({"sample_rate": 44_100}, 3, id="another sample rate"),
        pytest.param({"audio": False}, 2, id="the sound goes away"),
        pytest.param({"video": False}, 2, id="the picture goes away"),
    ],
)
def test_a_recording_with_discontinuities_is_one_mp4(tmp_path, clips, derived, second, entries):
    parts = [clips.clip(b_frames=2, seconds=6), clips.clip(**second), clips.clip(seconds=2)]
    show = derived(*parts)
    out = tmp_path / "show.mp4"

    mp4 = write_mp4(show.recording, show.file, out)

    data = out.read_bytes()
    found = ffprobe_packets(out)
    for kind in (V, A):
        own = [p for p in found if p.kind is kind]
        assert 0 <= sent(parts, kind) - len(own) <= 2 * len(parts)
        assert all(a.dts_s < b.dts_s for a, b in pairwise(own))
    assert mp4.duration_s == pytest.approx(sum(_seconds(p) for p in parts), abs=0.25)
    assert sum(len(re.findall(code, data[: data.index(b"mdat")])) for code in _ENTRIES) == entries
    assert ffmpeg_complaints(out) == ""


_ENTRIES = (b"avc1\0\0\0\0\0\0", b"hvc1\0\0\0\0\0\0", b"mp4a\0\0\0\0\0\0")


def _seconds(clip):
    return max(p.dts_ms for p in clip.packets) / 1000


def test_a_change_of_codec_is_refused_with_its_reason(tmp_path, clips, derived):
    show = derived(clips.clip(), clips.clip(video_codec="libx265"))
    with pytest.raises(MediaRefused) as caught:
        write_mp4(show.recording, show.file, tmp_path / "show.mp4")
    assert caught.value.reason == "codec_changed"


def test_pictures_of_both_sizes_are_decoded_with_their_own_configuration(tmp_path, clips, derived):
    small, large = clips.clip(), clips.clip(width=96, height=64)
    show = derived(small, large, small)
    out = tmp_path / "show.mp4"
    write_mp4(show.recording, show.file, out)
    frames = brightness(out)
    assert len(frames) == sent([small, large, small], V)
    one = [value for _, value in frames[: len(frames) // 3]]
    for start in (0, len(frames) // 3, 2 * len(frames) // 3):
        values = [value for _, value in frames[start : start + len(one)]]
        assert max(abs(a - b) for a, b in zip(values, one, strict=True)) <= 8


def test_nothing_to_write_is_an_error(tmp_path, clips, derived):
    show = derived(clips.clip())
    with pytest.raises(MalformedMedia):
        write_mp4(Recording(()), show.file, tmp_path / "show.mp4")


# --- clips ------------------------------------------------------------------------------------


@pytest.fixture
def long_show(clips, derived):
    """12 s with a keyframe every 3 s, and as much again behind a Discontinuity."""
    clip = clips.clip(seconds=12, b_frames=2, gop_s=3)
    return derived(clip, clip)


@pytest.mark.parametrize(
    ("start_s", "end_s"), [(0, 2), (3.5, 7.33), (11, 14), (13, 14), (20, 23.9), (0, 24)]
)
def test_a_clip_is_copied_from_its_keyframe_to_the_end_of_its_chunk(
    tmp_path, long_show, start_s, end_s
):
    out = tmp_path / "clip.mp4"
    clip = cut_at_chunks(long_show.recording, long_show.file, Span(start_s, end_s), out)

    assert clip.span.start_s == pytest.approx(start_s // 3 * 3, abs=0.01)
    assert end_s - 0.11 <= clip.span.end_s <= end_s + 0.4
    assert clip.mp4.duration_s == pytest.approx(clip.span.duration_s, abs=0.002)
    assert ffmpeg_complaints(out) == ""
    packets = ffprobe_packets(out)
    video, audio = ([p for p in packets if p.kind is kind] for kind in (V, A))
    assert video[0].is_key
    assert video[0].pts_s == pytest.approx(0, abs=0.001)
    assert len(video) == pytest.approx(clip.span.duration_s * 30, abs=4)
    assert -0.022 <= audio[0].pts_s <= 0.001
    assert audio[-1].pts_s == pytest.approx(clip.span.duration_s, abs=0.05)


@pytest.mark.parametrize(
    ("start_s", "end_s", "anew"),
    [
        pytest.param(0, 9, 0, id="from keyframe to keyframe: copied"),
        pytest.param(3.5, 10.5, 2, id="head and tail encoded"),
        pytest.param(4, 5, 1, id="within a group of pictures"),
        pytest.param(0, 7.7, 1, id="tail encoded"),
        pytest.param(11, 14.2, 2, id="across a Discontinuity"),
        pytest.param(20, 23.9, 1, id="to the end"),
    ],
)
def test_an_exact_clip_has_every_frame_between_start_and_end_and_no_other(
    tmp_path, long_show, start_s, end_s, anew
):
    out, scratch, whole = tmp_path / "clip.mp4", tmp_path / "scratch", tmp_path / "whole.mp4"
    scratch.mkdir()
    write_mp4(long_show.recording, long_show.file, whole)
    wanted = [
        (at_s - start_s, value)
        for at_s, value in brightness(whole)
        if start_s - 0.002 <= at_s < end_s - 0.002
    ]

    clip = cut_at_frames(long_show.recording, long_show.file, Span(start_s, end_s), scratch, out)

    assert len([*scratch.glob("anew-*.m4s")]) == anew
    assert clip.span.start_s == pytest.approx(start_s, abs=0.002)
    assert clip.mp4.duration_s == pytest.approx(end_s - start_s, abs=0.05)
    assert ffmpeg_complaints(out) == ""
    shown = brightness(out)
    assert len(shown) == len(wanted)
    assert max(abs(a[0] - b[0]) for a, b in zip(shown, wanted, strict=True)) <= 0.004
    assert max(abs(a[1] - b[1]) for a, b in zip(shown, wanted, strict=True)) <= 4


def test_an_exact_clip_of_hevc_becomes_h264(tmp_path, clips, derived):
    show = derived(clips.clip(video_codec="libx265", seconds=6, b_frames=2))
    out, scratch = tmp_path / "clip.mp4", tmp_path / "scratch"
    scratch.mkdir()
    cut_at_frames(show.recording, show.file, Span(1.5, 3.5), scratch, out)
    assert stream_tags(out) == ["avc1", "mp4a"]
    assert ffmpeg_complaints(out) == ""
    assert len(brightness(out)) == 60


def test_a_clip_of_sound_alone_is_cut_to_the_frame_of_sound(tmp_path, clips, derived):
    show = derived(clips.clip(video=False, seconds=8))
    out = tmp_path / "clip.mp4"
    clip = cut_at_chunks(show.recording, show.file, Span(2.5, 5.0), out)
    assert clip.mp4.duration_s == pytest.approx(2.5, abs=0.01)
    assert ffmpeg_complaints(out) == ""
    with pytest.raises(MediaRefused) as caught:
        cut_at_frames(show.recording, show.file, Span(2.5, 5.0), tmp_path, out)
    assert (caught.value.reason, caught.value.field) == ("no_video", "exact")


def test_a_clip_may_end_in_the_segment_that_still_grows(tmp_path, clips, derived):
    show = derived(clips.clip(seconds=5, b_frames=2), finish=False)
    assert any("part-" in piece.name for piece in show.recording.tracks[0].pieces)
    out = tmp_path / "clip.mp4"
    end_s = show.recording.end_s
    assert end_s == pytest.approx(4.8, abs=0.25)
    clip = cut_at_chunks(show.recording, show.file, Span(2, end_s), out)
    assert clip.mp4.duration_s == pytest.approx(end_s - 2, abs=0.15)
    assert ffmpeg_complaints(out) == ""


# --- pictures ---------------------------------------------------------------------------------


def picture_size(path):
    argv = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width,height"]
    done = subprocess.run(
        [*argv, "-of", "csv=p=0", str(path)], capture_output=True, text=True, check=True
    )
    codec, width, height = done.stdout.strip().split(",")
    return codec, int(width), int(height)


def tile_brightness(path, x, y, width, height):
    crop = f"crop={width}:{height}:{x}:{y}"
    argv = ["ffmpeg", "-v", "error", "-i", str(path), "-vf", crop, "-f", "rawvideo"]
    done = subprocess.run([*argv, "-pix_fmt", "gray", "-"], capture_output=True, check=True)
    return done.stdout[len(done.stdout) // 2 + width // 2]


def cues(path):
    pattern = r"(\S+) --> (\S+)\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)\n"
    found = re.findall(pattern, path.read_text())
    return [
        (_stamp(start), _stamp(end), sheet, *map(int, place)) for start, end, sheet, *place in found
    ]


def _stamp(text):
    hours, minutes, seconds = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_storyboard_has_a_tile_for_every_moment_with_the_picture_of_then(
    tmp_path, clips, derived, codec
):
    show = derived(clips.clip(seconds=12, gop_s=2, video_codec=codec))
    whole = tmp_path / "whole.mp4"
    write_mp4(show.recording, show.file, whole)
    frames = brightness(whole)

    rules = StoryboardRules(tile_px=32, columns=2, rows=2)
    pictures = write_pictures(show.recording, show.file, tmp_path, rules)

    assert pictures.poster == (64, 48)
    assert picture_size(tmp_path / "poster.jpg") == ("mjpeg", 64, 48)
    assert pictures.sheets == ("storyboard-0.jpg", "storyboard-1.jpg")
    assert picture_size(tmp_path / "storyboard-0.jpg") == ("mjpeg", 64, 48)
    tiles = cues(tmp_path / "storyboard.vtt")
    assert len(tiles) == 6
    assert tiles[0][0] == 0
    assert tiles[-1][1] == pytest.approx(12, abs=0.1)
    assert all(a[1] == b[0] for a, b in pairwise(tiles))
    for start, _, sheet, x, y, width, height in tiles:
        shown = min(frames, key=lambda frame: abs(frame[0] - start))[1]
        full_range = (shown - 16) * 255 / 219
        seen = tile_brightness(tmp_path / sheet, x, y, width, height)
        assert seen == pytest.approx(max(0, full_range), abs=6)


def test_a_long_recording_has_no_more_tiles_than_allowed(tmp_path, clips, derived):
    show = derived(clips.clip(seconds=12, gop_s=0.5))
    rules = StoryboardRules(tile_px=32, most_tiles=4)
    pictures = write_pictures(show.recording, show.file, tmp_path, rules)
    assert len(cues(tmp_path / "storyboard.vtt")) == 4
    assert pictures.interval_s == pytest.approx(3, abs=0.1)


def test_sound_alone_has_no_pictures(tmp_path, clips, derived):
    show = derived(clips.clip(video=False))
    pictures = write_pictures(show.recording, show.file, tmp_path, StoryboardRules())
    assert pictures.poster is None
    assert pictures.sheets == ()
    assert [*tmp_path.glob("*.jpg")] == []


def test_a_keyframe_that_cannot_be_decoded_leaves_a_picture_out(tmp_path, clips, derived):
    show = derived(clips.clip(seconds=6, gop_s=2))
    segment = show.file("video/segment-1.m4s")
    key = load_chunks(segment)[0]
    data = bytearray(segment.read_bytes())
    data[key.offset : key.offset + key.sizes[0]] = b"\xff" * key.sizes[0]
    segment.write_bytes(data)
    write_pictures(show.recording, show.file, tmp_path, StoryboardRules(tile_px=32))
    assert len(cues(tmp_path / "storyboard.vtt")) == 2
