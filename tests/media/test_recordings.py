"""Real media through the pipeline into a recording, and what ffmpeg makes of it."""

from dataclasses import replace
from itertools import pairwise

import pytest
from lxml import etree

from ingest.media import MediaKind, Packet
from ingest.settings import PackagingSettings
from tests.support.media import (
    Clip,
    ProbedPacket,
    Recording,
    StreamPackager,
    audio_format,
    ffmpeg_complaints,
    ffprobe_packets,
)
from tests.support.media_values import WALL_S, HeldClock

V, A = MediaKind.VIDEO, MediaKind.AUDIO
SYNC_S = 0.020
"""How far sound and picture may be moved against each other."""

_NS = "{urn:mpeg:dash:schema:mpd:2011}"


async def recorded(root, clip: Clip, **settings) -> Recording:
    packager = StreamPackager(root, settings=PackagingSettings(**settings))
    packager.run(clip.tracks, clip.packets)
    return await packager.publish()


def taken(clip: Clip) -> dict[MediaKind, list[Packet]]:
    """The packets that a recording must hold: those from the first keyframe on."""
    video, audio = clip.of_kind(V), clip.of_kind(A)
    start_ms = video[0].dts_ms if video else audio[0].dts_ms
    return {V: video, A: [p for p in audio if p.dts_ms >= start_ms and _after(clip, p)]}


def _after(clip: Clip, packet: Packet) -> bool:
    """Whether the packet comes behind the first keyframe in the file as well."""
    if not clip.of_kind(V):
        return True
    first = next(i for i, p in enumerate(clip.packets) if p.kind is V)
    return clip.packets.index(packet) > first


def assert_whole(clip: Clip, recording: Recording) -> None:
    """ffmpeg decodes it without a word, and finds every frame at its time, in HLS and DASH."""
    expected = taken(clip)
    assert recording.dropped == len(clip.packets) - sum(map(len, expected.values()))
    for manifest in (recording.hls, recording.dash):
        assert ffmpeg_complaints(manifest) == ""
        found = ffprobe_packets(manifest) if manifest is recording.hls else dash_packets(recording)
        shifts = []
        for kind, packets in expected.items():
            read = [p for p in found if p.kind is kind]
            assert len(read) == len(packets), (manifest.suffix, kind)
            assert [p.size for p in read] == [len(p.data) for p in packets]
            if kind is V:
                assert [p.is_key for p in read] == [p.is_key for p in packets]
            shifts += [
                read.pts_s - sent.pts_ms / 1000 for read, sent in zip(read, packets, strict=True)
            ]
        assert max(shifts) - min(shifts) <= SYNC_S


def dash_packets(recording: Recording) -> list[ProbedPacket]:
    """The packets of the segments that the MPD names, each track read on its own: ffmpeg's DASH
    demuxer may leave a track's last packets unread once the other track has ended."""
    found = []
    for template in etree.parse(recording.dash).iter(f"{_NS}SegmentTemplate"):
        number = int(template.get("startNumber"))
        count = sum(int(s.get("r", "0")) + 1 for s in template.iter(f"{_NS}S"))
        names = [template.get("initialization")] + [
            template.get("media").replace("$Number$", str(n)) for n in range(number, number + count)
        ]
        joined = recording.store_root / f"joined-{template.getparent().get('id')}.mp4"
        joined.write_bytes(b"".join((recording.dash.parent / n).read_bytes() for n in names))
        found += ffprobe_packets(joined)
    return found


# --- every frame, in sync ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="30 fps, no B-frames"),
        pytest.param({"b_frames": 2}, id="two B-frames"),
        pytest.param({"b_frames": 3, "fps": 24000 / 1001}, id="film rate, three B-frames"),
        pytest.param({"fps": 60}, id="60 fps"),
        pytest.param({"vfr": True, "b_frames": 2, "seconds": 6}, id="variable frame rate"),
        pytest.param({"layout": "mono", "sample_rate": 44_100}, id="mono at 44.1 kHz"),
        pytest.param({"layout": "mono", "b_frames": 2}, id="mono at 48 kHz"),
        pytest.param({"sample_rate": 44_100, "seconds": 8}, id="stereo at 44.1 kHz"),
        pytest.param({"audio": False, "b_frames": 2}, id="video only"),
        pytest.param({"video": False}, id="audio only"),
        pytest.param({"video": False, "sample_rate": 44_100, "seconds": 8}, id="long audio only"),
        pytest.param({"seconds": 0.5}, id="shorter than a segment"),
    ],
)
async def test_every_frame_is_in_the_recording_at_its_time(tmp_path, clips, changes):
    clip = clips.clip(**changes)
    assert_whole(clip, await recorded(tmp_path, clip))


@pytest.mark.parametrize("gop_s", [0.5, 1.0, 1.5, 2.0, 3.0, 10.0])
async def test_whatever_the_keyframe_distance_all_is_there_in_segments_of_the_target(
    tmp_path, clips, gop_s
):
    clip = clips.clip(gop_s=gop_s, seconds=12, b_frames=2)
    recording = await recorded(tmp_path, clip)
    assert_whole(clip, recording)
    for playlist in ("video", "audio"):
        text = (recording.store_root / "vods/show" / f"{playlist}.m3u8").read_text()
        lengths = [float(x.split(":")[1][:-1]) for x in text.splitlines() if "#EXTINF" in x]
        assert max(map(round, lengths)) <= 2
        assert sum(lengths) == pytest.approx(12, abs=0.1)


@pytest.mark.parametrize(
    ("codecs", "names"),
    [
        ({"video_codec": "libx265"}, ("hvc1.", "mp4a.40.2")),
        ({"video_codec": "libsvtav1"}, ("av01.", "mp4a.40.2")),
        ({"audio_codec": "libopus"}, ("avc1.", "opus")),
    ],
)
async def test_other_codecs_are_packaged_too(tmp_path, clips, codecs, names):
    clip = clips.clip(seconds=2, **codecs)
    recording = await recorded(tmp_path, clip)
    assert ffmpeg_complaints(recording.hls) == ""
    expected = sum(map(len, taken(clip).values()))
    assert len(ffprobe_packets(recording.hls)) == expected
    text = recording.hls.read_text()
    assert all(f'"{name}' in text or f",{name}" in text for name in names)


async def test_the_duration_told_is_that_of_the_media(tmp_path, clips):
    clip = clips.clip(seconds=6, b_frames=2)
    recording = await recorded(tmp_path, clip)
    assert recording.vod.duration_s == pytest.approx(6, abs=0.05)


async def test_parts_joined_are_the_segment(tmp_path, clips):
    """A Media Segment is the concatenation of its Partial Segments, byte for byte."""
    clip = clips.clip(b_frames=2)
    recording = await recorded(tmp_path, clip)
    for rendition in ("video", "audio"):
        folder = recording.folder / rendition
        parts = sorted(folder.glob("part-*.m4s"), key=lambda p: int(p.stem.split("-")[1]))
        segments = sorted(folder.glob("segment-*.m4s"), key=lambda p: int(p.stem.split("-")[1]))
        joined = b"".join(p.read_bytes() for p in parts)
        assert joined == b"".join(s.read_bytes() for s in segments)
        assert len(parts) > len(segments) > 1


async def test_packaging_the_same_packets_again_gives_the_same_bytes(tmp_path, clips):
    clip = clips.clip(vfr=True, b_frames=2, seconds=6)
    files = []
    for name in ("one", "two"):
        recording = await recorded(tmp_path / name, clip)
        files.append(
            {
                path.relative_to(recording.folder): path.read_bytes()
                for path in recording.folder.rglob("*")
                if path.is_file()
            }
        )
    assert files[0] == files[1]


# --- encoders with odd clocks -----------------------------------------------------------------


async def test_a_stream_whose_stamps_wrap_is_one_timeline(tmp_path, clips):
    clip = clips.clip(b_frames=2)
    wrap = 1 << 32
    shift = wrap - 2_000
    moved = tuple(
        p._replace(
            dts_ms=(p.dts_ms + shift) % wrap,
            pts_ms=(p.dts_ms + shift) % wrap + p.pts_ms - p.dts_ms,
        )
        for p in clip.packets
    )
    packager = StreamPackager(tmp_path)
    packager.run(clip.tracks, moved)
    assert_whole(clip, await packager.publish())


async def test_audio_that_arrives_late_stays_in_sync(tmp_path, clips):
    """A second of network jitter between the tracks changes nothing in the files' times."""
    clip = clips.clip(b_frames=2, seconds=6)
    late = sorted(clip.packets, key=lambda p: p.dts_ms + 1_000 * (p.kind is A))
    packager = StreamPackager(tmp_path)
    packager.run(clip.tracks, late)
    assert_whole(Clip(clip.path, clip.tracks, tuple(late)), await packager.publish())


async def test_a_jump_of_the_stamps_is_one_discontinuity(tmp_path, clips):
    clip = clips.clip(b_frames=2)
    moved = [
        p._replace(dts_ms=p.dts_ms + 3_600_000, pts_ms=p.pts_ms + 3_600_000) for p in clip.packets
    ]
    packager = StreamPackager(tmp_path)
    packager.run(clip.tracks, [*clip.packets, *moved])
    recording = await packager.publish()
    assert_one_discontinuity(recording, 2 * sum(map(len, taken(clip).values())))


# --- sessions after one another ---------------------------------------------------------------


def assert_one_discontinuity(recording: Recording, packets: int) -> None:
    """ffmpeg reads all of it, and both manifests tell of two Periods."""
    assert ffmpeg_complaints(recording.hls) == ""
    found = ffprobe_packets(recording.hls)
    assert len(found) == packets
    for kind in (V, A):  # time starts over once, where the second Period starts
        times = [p.dts_s for p in found if p.kind is kind]
        assert sum(a >= b for a, b in pairwise(times)) == 1
    for name in ("video", "audio"):
        text = (recording.store_root / "vods/show" / f"{name}.m3u8").read_text()
        assert text.count("#EXT-X-DISCONTINUITY\n") == 1
        assert text.count("#EXT-X-MAP:") == 2
    periods = list(etree.parse(recording.dash).iter(f"{_NS}Period"))
    assert len(periods) == 2
    starts = [float(p.get("start")[2:-1]) for p in periods]
    lengths = [float(p.get("duration")[2:-1]) for p in periods]
    assert starts[1] == pytest.approx(starts[0] + lengths[0], abs=0.002)


async def test_a_worker_that_died_and_its_successor_make_one_recording(tmp_path, clips):
    """The first is cut off in the middle of a segment: what it had announced is sealed, what it
    held is lost, and the next one goes on with the same numbers behind a discontinuity."""
    clip = clips.clip(b_frames=2, seconds=6)
    middle = len(clip.packets) * 3 // 5
    packager = StreamPackager(tmp_path)
    packager.run(clip.tracks, clip.packets[:middle], finish=False)
    before = {
        kind: sum(1 for p in (packager.folder / kind).glob("part-*")) for kind in ("video", "audio")
    }
    assert min(before.values()) > 10
    clock = HeldClock(wall=WALL_S + 4)
    packager.run(clip.tracks, clip.packets, clock=clock)
    recording = await packager.publish()

    text = (recording.store_root / "vods/show/video.m3u8").read_text()
    assert [
        int(line.split("-")[-1].split(".")[0]) for line in text.splitlines() if "/segment-" in line
    ] == list(range(text.count("/segment-")))
    found = ffprobe_packets(recording.hls)
    second = sum(map(len, taken(clip).values()))
    first = len(found) - second
    lost = sum(1 for p in clip.packets[:middle]) - recording.dropped // 2 - first
    # at most one open part and the frame that waited for its duration, on each track
    assert 0 <= lost <= 7 + 10
    assert_one_discontinuity(recording, len(found))


async def test_an_encoder_that_changes_its_picture_size_starts_a_period(tmp_path, clips):
    small, large = clips.clip(b_frames=2), clips.clip(width=96, height=64)
    packager = StreamPackager(tmp_path)
    packager.run(small.tracks, small.packets)
    packager.run(large.tracks, large.packets, clock=HeldClock(wall=WALL_S + 10))
    recording = await packager.publish()
    assert ffmpeg_complaints(recording.dash) == ""
    sizes = [
        (r.get("width"), r.get("height"))
        for r in etree.parse(recording.dash).iter(f"{_NS}Representation")
        if r.get("width")
    ]
    assert sizes == [("64", "48"), ("96", "64")]


@pytest.mark.parametrize("audio", [{}, {"sample_rate": 44_100, "layout": "mono"}], ids=str)
async def test_sound_that_begins_late_has_silence_before_it(tmp_path, clips, audio):
    """Players that are told of a track show nothing until they have some of it."""
    alone, both = clips.clip(audio=False, b_frames=2, seconds=5), clips.clip(b_frames=2, **audio)
    packager = StreamPackager(tmp_path)
    packager.run(alone.tracks, alone.packets)
    packager.run(both.tracks, both.packets, clock=HeldClock(wall=WALL_S + 5))
    recording = await packager.publish()
    for manifest in (recording.hls, recording.dash):
        assert ffmpeg_complaints(manifest) == ""
    folder = recording.store_root / "vods/show"
    numbers = [
        [line for line in (folder / f"{name}.m3u8").read_text().splitlines() if "/segment-" in line]
        for name in ("video", "audio")
    ]
    assert [line.split("/")[1] for line in numbers[0]] == [
        line.split("/")[1] for line in numbers[1]
    ]
    found = ffprobe_packets(recording.hls)
    video, sound = ([p for p in found if p.kind is kind] for kind in (V, A))
    assert abs(sound[0].pts_s - video[0].pts_s) <= SYNC_S
    gaps = [b.pts_s - a.pts_s for a, b in pairwise(sound)]
    assert max(gaps) < 0.1
    track = audio_format(both.tracks)
    frame_s = track.frame_samples / track.sample_rate
    assert len(sound) - len(both.of_kind(A)) == pytest.approx(5 / frame_s, abs=3)


async def test_a_picture_that_was_alone_for_long_stays_alone(tmp_path, clips):
    alone, both = clips.clip(audio=False, seconds=2), clips.clip()
    packager = StreamPackager(tmp_path)
    for again in range(35):
        packager.run(alone.tracks, alone.packets, clock=HeldClock(wall=WALL_S + 2 * again))
    packager.run(both.tracks, both.packets, clock=HeldClock(wall=WALL_S + 70))
    recording = await packager.publish()
    text = (recording.store_root / "vods/show/audio.m3u8").read_text()
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:35" in text


async def test_a_track_that_leaves_and_comes_back_keeps_the_numbers(tmp_path, clips):
    both, silent = clips.clip(b_frames=2), clips.clip(audio=False, b_frames=2)
    packager = StreamPackager(tmp_path)
    packager.run(both.tracks, both.packets)
    packager.run(silent.tracks, silent.packets)
    packager.run(both.tracks, both.packets)
    recording = await packager.publish()
    texts = {
        name: (recording.store_root / "vods/show" / f"{name}.m3u8").read_text()
        for name in ("video", "audio")
    }
    for text in texts.values():
        assert text.count("#EXT-X-DISCONTINUITY\n") == 2
        numbers = [int(x.split("segment-")[1][:-4]) for x in text.splitlines() if "segment-" in x]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len(ffprobe_packets(recording.store_root / "vods/show/audio.m3u8")) == 2 * len(
        taken(both)[A]
    )


async def test_half_second_parts_and_four_second_segments_are_as_whole(tmp_path, clips):
    clip = clips.clip(seconds=12, gop_s=1.0, b_frames=2)
    recording = await recorded(tmp_path, clip, part_target_s=0.5, segment_target_s=4.0)
    assert_whole(clip, recording)
    text = (recording.store_root / "vods/show/video.m3u8").read_text()
    assert text.count("#EXTINF:4.0") == 3


def test_the_clips_are_what_they_are_called(clips):
    """The library itself: B-frames reorder, VFR is uneven, formats are as asked."""
    reordered = clips.clip(b_frames=2)
    pts = [p.pts_ms for p in reordered.of_kind(V)]
    assert pts != sorted(pts)
    uneven = clips.clip(vfr=True, b_frames=2, seconds=6)
    steps = {b - a for a, b in pairwise(sorted(p.pts_ms for p in uneven.of_kind(V)))}
    assert max(steps) > 2 * min(steps)
    mono = audio_format(clips.clip(layout="mono", sample_rate=44_100).tracks)
    assert mono == replace(mono, channels=1, sample_rate=44_100)
