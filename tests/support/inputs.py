"""What encoders send, as FLV tags: the matrix of inputs, encoded or made by rewriting tags.

Each input is a function of an `Encoders`, which keeps what it has encoded. The picture moves and
carries a clock, so that a frame that is lost or out of order shows in the decoder.
"""

import random
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.support.flv import AUDIO, SCRIPT, VIDEO, FlvTag, read_tags
from tests.support.media import ClipLibrary

_SEED = 20_260
GSTREAMER_DASH = "gstreamer mpd"
_NO_NEW_TRACK = "does not go on into a Period that has a track more"
_WRAP = 1 << 32

Tags = list[FlvTag]


class Encoders:
    """Encodes clips; the same one only once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[tuple[object, ...], Tags] = {}
        self._library = ClipLibrary(folder)

    def flv(
        self,
        *,
        seconds: float = 6,
        size: str = "128x96",
        rate: str = "30",
        gop: int = 60,
        b_frames: int = 2,
        video: str = "",
        audio: str = "-c:a aac -b:a 64k",
        sound_rate: int = 48_000,
        channels: int = 2,
        x264: str = "",
        filters: str = "null",
    ) -> Tags:
        """H.264 and an audio codec through ffmpeg; an empty `audio`, or `video` "none", leaves a
        track out."""
        key = (
            seconds,
            size,
            rate,
            gop,
            b_frames,
            video,
            audio,
            sound_rate,
            channels,
            x264,
            filters,
        )
        if key not in self._made:
            path = self._folder / f"input-{len(self._made)}.flv"
            argv = ["ffmpeg", "-nostdin", "-v", "error", "-y"]
            if video != "none":
                argv += ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate},{filters}"]
            if audio:
                source = f"sine=frequency=440:beep_factor=4:sample_rate={sound_rate}"
                argv += ["-f", "lavfi", "-i", source]
            argv += ["-t", str(seconds), "-fps_mode", "passthrough"]
            if video != "none":
                params = f"keyint={gop}:min-keyint=1:scenecut=0:bframes={b_frames}:threads=1"
                argv += ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"]
                argv += ["-x264-params", f"{params}:{x264}".rstrip(":"), *video.split()]
            if audio:
                argv += [*audio.split(), "-ac", str(channels)]
            subprocess.run([*argv, "-f", "flv", str(path)], check=True, timeout=120)
            self._made[key] = read_tags(path)
        return self._made[key]

    def pyav(self, **changes: object) -> Tags:
        """What Debian's ffmpeg cannot write: enhanced RTMP."""
        return read_tags(self._library.clip(**changes).path)


@dataclass(frozen=True)
class Input:
    """One row of the matrix.

    periods: how many the recording has. spread_ms: by how much sound and picture may be moved
    against each other. real_time: pushed at its own speed, for the pull that must keep up.
    new_init: ffmpeg's HLS demuxer keeps the first Media Initialization Section, so what follows
    another one is decoded on its own. fails: why it does not work. not_in: players that cannot
    play it whatever they are given, and why. heavy: takes a core to decode at its own speed.
    """

    name: str
    make: Callable[[Encoders], Tags]
    periods: int = 1
    spread_ms: float = 20.0
    real_time: bool = False
    new_init: bool = False
    fails: str = ""
    not_in: tuple[tuple[str, str], ...] = ()
    heavy: bool = False


# --- rewriting ----------------------------------------------------------------------------------


def _each(tags: Iterable[FlvTag], change: Callable[[FlvTag], FlvTag]) -> Tags:
    return [change(tag) for tag in tags]


def _moved(tags: Iterable[FlvTag], by_ms: int) -> Tags:
    """Stamped otherwise; captured when they were."""
    return _each(tags, lambda t: replace(t, time_ms=(t.time_ms + by_ms) % _WRAP, true_ms=t.at_ms))


def _later(tags: Iterable[FlvTag], by_ms: int) -> Tags:
    """Captured later."""
    return _each(tags, lambda t: FlvTag(t.kind, t.time_ms + by_ms, t.data))


def _of(tags: Iterable[FlvTag], *kinds: int) -> Tags:
    return [tag for tag in tags if tag.kind in kinds]


def _joined(first: Sequence[FlvTag], second: Sequence[FlvTag], gap_ms: int = 33) -> Tags:
    """One encoder that goes on with other media."""
    head = [t for t in first if not _ends_sequence(t)]
    start = max(t.time_ms for t in head) + gap_ms
    return [*head, *_later(_of(second, AUDIO, VIDEO), start)]


def _ends_sequence(tag: FlvTag) -> bool:
    return tag.kind == VIDEO and len(tag.data) > 1 and tag.data[1] == 2


def _merged(*tracks: Iterable[FlvTag]) -> Tags:
    """By stamp, headers first where they are equal."""
    tags = [tag for track in tracks for tag in track]
    return sorted(tags, key=lambda tag: (tag.time_ms, not tag.is_header))


def _jumped(tags: Sequence[FlvTag], at_ms: int, by_ms: int) -> Tags:
    """From the keyframe at or behind `at_ms` on, everything is stamped `by_ms` later."""
    turn = next(i for i, t in enumerate(tags) if t.is_key and t.unit and t.time_ms >= at_ms)
    return [*tags[:turn], *_moved(tags[turn:], by_ms)]


def _jittered(tags: Iterable[FlvTag], most_ms: int, *kinds: int) -> Tags:
    """Stamps off by up to `most_ms` either way, in the order in which they were sent."""
    dice = random.Random(_SEED)

    def shake(tag: FlvTag) -> FlvTag:
        if tag.kind not in kinds or tag.is_header:
            return tag
        stamp = max(0, tag.time_ms + dice.randint(-most_ms, most_ms))
        return replace(tag, time_ms=stamp, true_ms=tag.at_ms)

    return _each(tags, shake)


def _plain(e: Encoders) -> Tags:
    return e.flv()


def _rotation(e: Encoders) -> Tags:
    return _joined(e.flv(seconds=3), e.flv(seconds=3, size="96x128"))


def _new_parameter_sets(e: Encoders) -> Tags:
    """The picture stays as large; entropy coding and reference counts change."""
    return _joined(e.flv(seconds=3), e.flv(seconds=3, video="-profile:v baseline", b_frames=0))


def _audio_format_change(e: Encoders) -> Tags:
    return _joined(e.flv(seconds=3), e.flv(seconds=3, sound_rate=44_100))


def _with_audio_config(tags: Iterable[FlvTag], config: bytes) -> Tags:
    """The AudioSpecificConfig exchanged."""
    return _each(
        tags,
        lambda t: replace(t, data=t.data[:2] + config) if t.kind == AUDIO and t.is_header else t,
    )


def _he_aac(e: Encoders) -> Tags:
    """Explicit signalling: object type 5, core at 24 kHz, output at 48 kHz (§1.6.5.2)."""
    core = e.flv(sound_rate=24_000)
    bits = f"{5:05b}{6:04b}{2:04b}{3:04b}{2:05b}{0:03b}".ljust(32, "0")
    return _with_audio_config(core, int(bits, 2).to_bytes(4, "big"))


def _he_aac_compatible(e: Encoders) -> Tags:
    """Backward compatible signalling: AAC-LC with a sync extension behind it."""
    core = e.flv(sound_rate=24_000)
    bits = f"{2:05b}{6:04b}{2:04b}{0:03b}{0x2B7:011b}{5:05b}1{3:04b}".ljust(40, "0")
    return _with_audio_config(core, int(bits, 2).to_bytes(5, "big"))


def _audio_starts_late(e: Encoders) -> Tags:
    tags = e.flv()
    return _merged(
        _of(tags, VIDEO, SCRIPT), [t for t in _late_headers(tags, 2_500, AUDIO) if t.kind == AUDIO]
    )


def _late_headers(tags: Sequence[FlvTag], from_ms: int, kind: int) -> Tags:
    """The track of `kind` from `from_ms` on, its decoder configuration right before."""
    header = next(t for t in tags if t.kind == kind and t.is_header)
    media = [t for t in tags if t.kind == kind and not t.is_header and t.time_ms >= from_ms]
    if kind == VIDEO:
        media = media[next(i for i, t in enumerate(media) if t.is_key) :]
    return [replace(header, time_ms=media[0].time_ms), *media]


def _audio_stops(e: Encoders) -> Tags:
    return [t for t in e.flv() if t.kind != AUDIO or t.time_ms < 3_000]


def _audio_comes_back(e: Encoders) -> Tags:
    return [t for t in e.flv(seconds=8) if t.kind != AUDIO or not 2_000 < t.time_ms < 5_500]


def _sound_of_mp3_comes_back(e: Encoders) -> Tags:
    tags = e.flv(seconds=8, audio="-c:a libmp3lame", sound_rate=44_100)
    return [t for t in tags if t.kind != AUDIO or not 2_000 < t.time_ms < 5_500]


def _video_comes_back(e: Encoders) -> Tags:
    """A phone that shows something else meanwhile; it goes on in the middle of a GOP."""
    return [t for t in e.flv(seconds=10) if t.kind != VIDEO or not 2_500 < t.time_ms < 6_500]


def _everything_pauses(e: Encoders) -> Tags:
    """The picture goes on in the middle of a GOP: nothing can start anew there."""
    tags = e.flv(seconds=10, b_frames=0)
    return [
        t for t in tags if t.is_header or not 2_500 < t.time_ms < 6_500 + 50 * (t.kind == AUDIO)
    ]


def _video_starts_late(e: Encoders) -> Tags:
    tags = e.flv(seconds=8)
    return _merged(_of(tags, AUDIO, SCRIPT), _late_headers(tags, 3_000, VIDEO))


def _video_starts_very_late(e: Encoders) -> Tags:
    tags = e.flv(seconds=12)
    return _merged(_of(tags, AUDIO, SCRIPT), _late_headers(tags, 7_500, VIDEO))


def _video_stops(e: Encoders) -> Tags:
    return [t for t in e.flv(seconds=8) if t.kind != VIDEO or t.time_ms < 3_000]


def _starts_without_keyframe(e: Encoders) -> Tags:
    """A camera that was filming already: its header, then the middle of a GOP."""
    tags = e.flv(b_frames=0)
    return [t for t in tags if t.is_header or t.kind == SCRIPT or t.time_ms > 700]


def _repeated_headers(e: Encoders) -> Tags:
    tags = e.flv()
    headers = [t for t in tags if t.is_header]
    out: Tags = []
    for tag in tags:
        if tag.is_key and not tag.is_header:
            out += [replace(header, time_ms=tag.time_ms) for header in headers]
        out.append(tag)
    return out


def _backward_dts(e: Encoders) -> Tags:
    """Every seventh frame is stamped 5 ms before the one in front of it."""
    tags = e.flv(b_frames=0)
    out: Tags = []
    last = 0
    for i, tag in enumerate(t for t in tags if not _ends_sequence(t)):
        if tag.kind == VIDEO and tag.unit and i % 7 == 0 and last:
            out.append(replace(tag, time_ms=last - 5, true_ms=tag.at_ms))
        else:
            out.append(tag)
        last = tag.time_ms if tag.kind == VIDEO else last
    return out


def _duplicate_stamps(e: Encoders) -> Tags:
    """Every fifth frame has the stamp of the one in front of it."""
    tags = e.flv(b_frames=0)
    out: Tags = []
    last = -1
    for i, tag in enumerate(tags):
        if tag.kind == VIDEO and tag.unit and i % 5 == 0 and last >= 0:
            out.append(replace(tag, time_ms=last, true_ms=last))
        else:
            out.append(tag)
        last = tag.time_ms if tag.kind == VIDEO and tag.unit else last
    return out


def _frames_sent_twice(e: Encoders) -> Tags:
    """Audio frames of a network that repeats itself."""
    out: Tags = []
    for i, tag in enumerate(e.flv(audio="-c:a aac -b:a 64k", b_frames=0)):
        out.append(tag)
        if tag.kind == VIDEO and tag.unit and not tag.is_key and i % 40 == 0:
            out.append(replace(tag, time_ms=tag.time_ms + 3))
    return out


def _empty_messages(e: Encoders) -> Tags:
    """Nothing, headers of frames without a frame, and a second end of sequence."""
    out: Tags = []
    for i, tag in enumerate(e.flv()):
        out.append(tag)
        if i % 10 == 0 and i > 10:
            out.append(FlvTag(AUDIO, tag.time_ms, b"\xaf\x01"))
            out.append(FlvTag(VIDEO, tag.time_ms, b"\x27\x01\0\0\0"))
        if i % 25 == 0 and i > 10:
            out.append(FlvTag(AUDIO, tag.time_ms, b""))
            out.append(FlvTag(VIDEO, tag.time_ms, b""))
    return out


def _skewed(by_ms: int) -> Callable[[Encoders], Tags]:
    """The sound stamped later than the picture by `by_ms`: an offset to keep, not to repair."""

    def make(e: Encoders) -> Tags:
        tags = e.flv()
        video = [t for t in tags if t.kind != AUDIO]
        audio = _of(tags, AUDIO)
        if by_ms < 0:
            video = _later(video, -by_ms)
        else:
            headers = [t for t in audio if t.is_header]
            audio = [*headers, *_later([t for t in audio if not t.is_header], by_ms)]
        return _merged(video, audio)

    return make


def _interleaved_badly(by_ms: int) -> Callable[[Encoders], Tags]:
    """The sound arrives `by_ms` after the picture that it belongs to, with the right stamps."""

    def make(e: Encoders) -> Tags:
        tags = e.flv()
        return sorted(
            tags,
            key=lambda t: (not t.is_header, t.time_ms + by_ms * (t.kind == AUDIO)),
        )

    return make


def _burst(e: Encoders) -> Tags:
    """An encoder that hangs for a second and sends the picture of that second all at once, with
    the stamps of the moment of sending one millisecond apart."""
    out: Tags = []
    held: Tags = []
    for tag in e.flv(b_frames=0):
        if tag.kind == VIDEO and tag.unit and 2_100 < tag.time_ms < 3_100:
            held.append(tag)
            continue
        if held and tag.time_ms >= 3_100:
            first = 3_100 - len(held)
            out += [FlvTag(VIDEO, first + i, late.data, first + i) for i, late in enumerate(held)]
            held = []
        out.append(tag)
    return out


def _held_then_flushed(e: Encoders) -> Tags:
    """A second of picture that arrives late and in one go, with the right stamps."""
    return sorted(
        e.flv(),
        key=lambda t: 3_100 if t.kind == VIDEO and 2_100 < t.time_ms < 3_100 else t.time_ms,
    )


def _negative_offsets(e: Encoders) -> Tags:
    """Composition offsets from a keyframe that is shown when it is decoded (version 1 of ctts)."""

    def shift(tag: FlvTag) -> FlvTag:
        if tag.kind != VIDEO or tag.unit is None:
            return tag
        offset = tag.unit.cts_ms - 67
        data = tag.data[:2] + offset.to_bytes(3, "big", signed=True) + tag.data[5:]
        return replace(tag, data=data, true_ms=tag.at_ms)

    return _each(e.flv(), shift)


def _one_millisecond_grid(e: Encoders) -> Tags:
    """Stamps rounded to 10 ms, as some hardware does."""
    return _each(
        e.flv(b_frames=0), lambda t: replace(t, time_ms=t.time_ms // 10 * 10, true_ms=t.at_ms)
    )


def _audio_clock_runs_fast(ppm: int) -> Callable[[Encoders], Tags]:
    """The sound card's second is shorter than the camera's."""

    def make(e: Encoders) -> Tags:
        return _each(
            e.flv(seconds=20, rate="12", size="64x48"),
            lambda t: (
                replace(t, time_ms=round(t.time_ms * (1 + ppm / 1e6))) if t.kind == AUDIO else t
            ),
        )

    return make


def _without_metadata(e: Encoders) -> Tags:
    return _of(e.flv(), AUDIO, VIDEO)


def _vfr(e: Encoders) -> Tags:
    return e.pyav(seconds=6.0, vfr=True, b_frames=2)


def _extreme_vfr(e: Encoders) -> Tags:
    """A phone in the dark: 30, then 4 frames a second."""
    return [
        t
        for t in e.flv(b_frames=0, video="-g 1", x264="")
        if not (t.kind == VIDEO and t.unit and 2_000 < t.time_ms < 4_000 and t.time_ms % 250 > 33)
    ]


def _all_of(**options: object) -> Callable[[Encoders], Tags]:
    return lambda e: e.flv(**options)  # type: ignore[arg-type]


def _from_pyav(**options: object) -> Callable[[Encoders], Tags]:
    return lambda e: e.pyav(**options)


def _moved_input(by_ms: int) -> Callable[[Encoders], Tags]:
    return lambda e: _moved(e.flv(), by_ms)


def _jump_input(by_ms: int, at_ms: int = 2_500, start_ms: int = 0) -> Callable[[Encoders], Tags]:
    return lambda e: _moved(_jumped(e.flv(seconds=8), at_ms, by_ms), start_ms)


def _forward_and_back(e: Encoders) -> Tags:
    hour = 3_600_000
    return _jumped(_jumped(e.flv(seconds=8), 1_900, hour), 5_900 % hour + hour, -hour)


def _jitter_input(most_ms: int, *kinds: int) -> Callable[[Encoders], Tags]:
    return lambda e: _jittered(e.flv(b_frames=0), most_ms, *kinds)


MATRIX: tuple[Input, ...] = (
    # pictures
    Input("no B-frames", _all_of(b_frames=0)),
    Input("one B-frame", _all_of(b_frames=1)),
    Input("two B-frames", _plain),
    Input("three B-frames in a pyramid", _all_of(b_frames=3, x264="b-adapt=0:b-pyramid=normal")),
    Input("baseline", _all_of(b_frames=0, video="-profile:v baseline")),
    Input("main", _all_of(video="-profile:v main")),
    Input("high with 8x8 transform", _all_of(video="-profile:v high", x264="8x8dct=1:cqm=jvt")),
    Input("4:4:4", _all_of(video="-pix_fmt yuv444p")),
    Input("interlaced", _all_of(x264="interlaced=1", rate="25")),
    Input("several slices", _all_of(x264="slices=4")),
    Input("12 fps", _all_of(rate="12", gop=24)),
    Input("15 fps", _all_of(rate="15", gop=30)),
    Input("23.976 fps", _all_of(rate="24000/1001", gop=48)),
    Input("25 fps", _all_of(rate="25", gop=50)),
    Input("29.97 fps", _all_of(rate="30000/1001")),
    Input("59.94 fps", _all_of(rate="60000/1001", gop=120)),
    Input("60 fps", _all_of(rate="60", gop=120)),
    Input("variable frame rate", _vfr),
    Input("30 to 4 frames a second and back", _extreme_vfr),
    Input("GOP of 0.5 s", _all_of(gop=15)),
    Input("GOP of 1 s", _all_of(gop=30)),
    Input("GOP of 3 s", _all_of(gop=90, seconds=8)),
    Input("GOP of 10 s", _all_of(gop=300, seconds=21)),
    Input("keyframes only", _all_of(gop=1, b_frames=0)),
    Input("one keyframe, then none", _all_of(gop=9999, seconds=8)),
    Input(
        "keyframes at odd times", _all_of(video="-force_key_frames 0.4,1.1,1.2,3.7,4.9", gop=250)
    ),
    Input("intra refresh", _all_of(b_frames=0, x264="intra-refresh=1")),
    Input("open GOP", _all_of(x264="open-gop=1:b-adapt=0", b_frames=3)),
    Input("portrait", _all_of(size="90x160")),
    Input("cropped to an odd size", _all_of(size="426x238")),
    Input(
        "4K", _all_of(size="3840x2160", rate="12", gop=12, seconds=2, video="-crf 40"), heavy=True
    ),
    Input("rotation", _rotation, periods=2, new_init=True),
    Input("new parameter sets, same size", _new_parameter_sets, periods=2, new_init=True),
    # enhanced RTMP
    Input("HEVC", _from_pyav(video_codec="libx265"), real_time=True),
    Input("HEVC with B-frames", _from_pyav(video_codec="libx265", b_frames=2), real_time=True),
    Input("AV1", _from_pyav(video_codec="libsvtav1"), real_time=True),
    Input(
        "HEVC and Opus",
        _from_pyav(video_codec="libx265", audio_codec="libopus"),
        real_time=True,
    ),
    Input(
        "AV1 and Opus", _from_pyav(video_codec="libsvtav1", audio_codec="libopus"), real_time=True
    ),
    Input("H.264 and Opus", _from_pyav(audio_codec="libopus", b_frames=2), real_time=True),
    # sound
    Input("AAC mono 48 kHz", _all_of(channels=1)),
    Input("AAC mono 44.1 kHz", _all_of(channels=1, sound_rate=44_100)),
    Input("AAC stereo 44.1 kHz", _all_of(sound_rate=44_100)),
    Input("AAC 32 kHz", _all_of(sound_rate=32_000)),
    Input("AAC 22.05 kHz", _all_of(sound_rate=22_050)),
    Input("AAC mono 16 kHz", _all_of(sound_rate=16_000, channels=1)),
    Input("AAC 8 kHz", _all_of(sound_rate=8_000, channels=1, audio="-c:a aac -b:a 24k")),
    Input("AAC 96 kHz", _all_of(sound_rate=96_000)),
    Input("AAC 5.1", _all_of(channels=6)),
    Input("HE-AAC, explicit", _he_aac),
    Input("HE-AAC, backward compatible", _he_aac_compatible),
    Input("MP3 44.1 kHz", _all_of(audio="-c:a libmp3lame", sound_rate=44_100)),
    Input("MP3 48 kHz", _all_of(audio="-c:a libmp3lame", sound_rate=48_000)),
    Input("MP3 mono 22.05 kHz", _all_of(audio="-c:a libmp3lame", sound_rate=22_050, channels=1)),
    Input("audio format change", _audio_format_change, periods=2),
    # tracks that come and go
    Input("audio only", _all_of(video="none")),
    Input("audio only, MP3", _all_of(video="none", audio="-c:a libmp3lame", sound_rate=44_100)),
    Input("video only", _all_of(audio="")),
    Input("audio starts late", _audio_starts_late, periods=2),
    Input("audio stops", _audio_stops),
    Input("audio comes back", _audio_comes_back),
    Input("MP3 comes back", _sound_of_mp3_comes_back),
    Input("video comes back", _video_comes_back),
    Input("everything pauses", _everything_pauses),
    Input("video starts late", _video_starts_late),
    Input(
        "video starts very late",
        _video_starts_very_late,
        periods=2,
        not_in=((GSTREAMER_DASH, _NO_NEW_TRACK),),
    ),
    Input("video stops", _video_stops),
    Input("the middle of a GOP first", _starts_without_keyframe),
    # messages
    Input("metadata absent", _without_metadata),
    Input("sequence headers repeated", _repeated_headers),
    Input("empty messages", _empty_messages),
    # stamps
    Input("stamps from 1 000 000 on", _moved_input(1_000_000)),
    Input("stamps across 2^24", _moved_input((1 << 24) - 3_000)),
    Input("stamps across 2^31", _moved_input((1 << 31) - 3_000)),
    Input("stamps across 2^32", _moved_input((1 << 32) - 3_000)),
    Input("a jump of an hour forward", _jump_input(3_600_000), periods=2),
    Input("an hour forward and back again", _forward_and_back, periods=3),
    Input(
        "a jump to before the first stamp",
        _jump_input(-60_000, start_ms=90_000),
        periods=2,
        fails="nginx-rtmp's recorder writes 0 for stamps before its first",
    ),
    Input("a jump of 5 s forward", _jump_input(5_000), periods=2),
    Input("small steps back", _backward_dts, spread_ms=80.0),
    Input("equal stamps", _duplicate_stamps),
    Input("frames sent twice", _frames_sent_twice),
    Input("stamps shaken by 8 ms", _jitter_input(8, AUDIO, VIDEO)),
    Input("sound shaken by 30 ms", _jitter_input(30, AUDIO)),
    Input("stamps on a grid of 10 ms", _one_millisecond_grid),
    Input("negative composition offsets", _negative_offsets),
    Input("sound 400 ms behind the picture", _skewed(400)),
    Input("sound 400 ms before the picture", _skewed(-400)),
    Input("sound arrives a second late", _interleaved_badly(1_000)),
    Input("picture arrives a second late", _interleaved_badly(-1_000)),
    Input("a second of frames in one burst", _burst),
    Input("a second of frames flushed late", _held_then_flushed),
    Input("audio clock 200 ppm fast", _audio_clock_runs_fast(-200)),
    Input("audio clock 500 ppm slow", _audio_clock_runs_fast(500)),
)
