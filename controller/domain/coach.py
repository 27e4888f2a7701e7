"""The ingest coach: from what the media plane measures to plain advice. Pure: times are arguments.

Everything is known without decoding: sizes, stamps and formats of what the encoder sends. Silence
shows in the size of the audio frames, which is a few bytes where nothing is heard. Clipping does
not show before the sound is decoded, so nothing is said about it.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from statistics import fmean, median

from controller.domain.session_health import IntakeHealth

_KEPT = 15
"""Readings that the rules look back on; one comes every two seconds or so."""

_RAISE_AFTER = 3
_CLEAR_AFTER = 5
"""Readings in a row until something counts as wrong, or as right again."""

_AGAIN_S = 60.0
"""Advice that was taken back does not come again before."""

_SILENT_BITS_PER_S = 12_000
_LEAST_PACE = 0.85
_LEAST_FRAMES = 0.8
_MOST_DRIFT_S = 0.04
_MOST_AV_OFFSET_S = 1.5
_GOP_TOLERANCE = 1.25
_UNSTEADY = 0.4
_LEAST_VIDEO_BITS_PER_S = 300_000
"""Below it a picture that stands still swings by itself."""


class AdviceCode(StrEnum):
    """What is wrong; stable and machine-readable."""

    NO_AUDIO = "no_audio"
    SILENCE = "silence"
    NO_VIDEO = "no_video"
    VIDEO_CODEC = "video_codec"
    AUDIO_CODEC = "audio_codec"
    LONG_GOP = "long_gop"
    FRAME_DROPS = "frame_drops"
    SLOW_UPLOAD = "slow_upload"
    UNSTEADY_BITRATE = "unsteady_bitrate"
    AUDIO_DRIFT = "audio_drift"
    AV_OFFSET = "av_offset"
    TIMESTAMPS = "timestamps"
    B_FRAMES = "b_frames"


class Severity(StrEnum):
    """`problem`: viewers notice; `hint`: it could be better."""

    PROBLEM = "problem"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Words:
    """What is said: what is wrong, why it matters, and what to change in OBS and on a phone."""

    severity: Severity
    title: str
    why: str
    obs: str
    phone: str


@dataclass(frozen=True, slots=True)
class Advice:
    """Advice that holds since a moment."""

    code: AdviceCode
    since: datetime

    @property
    def words(self) -> Words:
        """What is said."""
        return WORDS[self.code]


WORDS: Mapping[AdviceCode, Words] = {
    AdviceCode.NO_AUDIO: Words(
        Severity.PROBLEM,
        "No sound arrives",
        "The encoder sends a picture only; viewers hear nothing.",
        "Settings → Audio: choose your microphone as Mic/Auxiliary Audio. Settings → Output → "
        "Streaming: tick an audio track.",
        "Allow the app to use the microphone, and switch its microphone button on.",
    ),
    AdviceCode.SILENCE: Words(
        Severity.PROBLEM,
        "The sound is silent",
        "Sound arrives, but there is nothing in it.",
        "Audio Mixer: the microphone must not be muted (red), and its bar has to move while you "
        "speak. Settings → Audio: check which microphone is chosen.",
        "Unmute the microphone in the app; take off a headset that is not connected.",
    ),
    AdviceCode.NO_VIDEO: Words(
        Severity.PROBLEM,
        "No picture arrives",
        "The encoder sends sound only.",
        "Add a Video Capture Device to the scene; check that the encoder does not show an error.",
        "Allow the app to use the camera, and switch its camera button on.",
    ),
    AdviceCode.VIDEO_CODEC: Words(
        Severity.PROBLEM,
        "Not every viewer can play this picture",
        "HEVC and AV1 are not played by every browser and phone.",
        "Settings → Output → Streaming → Video Encoder: choose one with H.264 (x264, NVENC H.264, "
        "QuickSync H.264).",
        "Choose H.264 (AVC) as the app's video codec, not HEVC (H.265).",
    ),
    AdviceCode.AUDIO_CODEC: Words(
        Severity.HINT,
        "Not every viewer can play this sound",
        "AAC is the one that every browser and phone plays in HLS.",
        "Settings → Output → Streaming → Audio Encoder: choose AAC.",
        "Choose AAC as the app's audio codec.",
    ),
    AdviceCode.LONG_GOP: Words(
        Severity.PROBLEM,
        "Key frames come too seldom",
        "A player can begin at a key frame only: viewers wait longer, and are further behind.",
        "Settings → Output → Streaming → Keyframe Interval: 2 s (0 means automatic, and is often "
        "8 s or more).",
        "Set the key frame interval (GOP, I-frame interval) to 2 seconds.",
    ),
    AdviceCode.FRAME_DROPS: Words(
        Severity.PROBLEM,
        "The encoder leaves frames out",
        "The computer or phone does not keep up, so movement jerks.",
        "Settings → Video: a smaller Output Resolution, or 30 instead of 60 FPS. Settings → "
        "Output: a hardware encoder, or a faster CPU preset.",
        "Choose 720p or 30 frames per second; close other apps; a hot phone slows down.",
    ),
    AdviceCode.SLOW_UPLOAD: Words(
        Severity.PROBLEM,
        "The connection does not keep up",
        "Media arrives slower than it is made, so viewers' pictures will stop.",
        "Settings → Output → Streaming → Bitrate: lower it by a third. Use a cable instead of "
        "Wi-Fi.",
        "Lower the bitrate or choose 720p; go nearer to the Wi-Fi, or use mobile data.",
    ),
    AdviceCode.UNSTEADY_BITRATE: Words(
        Severity.HINT,
        "The bitrate swings",
        "Bursts make players on narrow connections wait.",
        "Settings → Output → Streaming → Rate Control: CBR.",
        "Choose a constant bitrate (CBR), and switch adaptive bitrate off if the network is good.",
    ),
    AdviceCode.AUDIO_DRIFT: Words(
        Severity.HINT,
        "Sound and time drift apart",
        "The sound card's clock and the time stamps disagree; it is corrected all the time.",
        "Settings → Audio → Sample Rate: 48 kHz, and the same for the device in the system's "
        "sound settings.",
        "Choose 48 kHz if the app lets you; use the built-in microphone instead of Bluetooth.",
    ),
    AdviceCode.AV_OFFSET: Words(
        Severity.HINT,
        "Sound and picture arrive apart",
        "Players have to wait for the later of the two, so viewers are further behind.",
        "Edit → Advanced Audio Properties → Sync Offset: 0 ms, unless you need it.",
        "Restart the app; avoid Bluetooth microphones.",
    ),
    AdviceCode.TIMESTAMPS: Words(
        Severity.HINT,
        "The encoder's time stamps jump",
        "They are repaired, but a small jerk may be left.",
        "Restart the stream; avoid sources whose frame rate changes, such as some capture cards.",
        "Restart the app; do not switch cameras more often than needed.",
    ),
    AdviceCode.B_FRAMES: Words(
        Severity.HINT,
        "B-frames keep WebRTC viewers out",
        "Browsers play no B-frames over WebRTC, so the fastest way to watch (WHEP) is closed.",
        "Settings → Output → Streaming: set B-frames to 0 (x264: Tune zerolatency).",
        "Choose the baseline profile, or switch B-frames off.",
    ),
}


@dataclass(frozen=True, slots=True)
class Change:
    """Advice that was raised, or cleared."""

    advice: Advice
    is_raised: bool


@dataclass(slots=True)
class _Watched:
    """How often in a row a rule has said the same."""

    wrong: int = 0
    right: int = 0
    since: datetime | None = None
    cleared_at: datetime | None = None


class Coach:
    """One stream's coach: readings in, changes of the advice out."""

    def __init__(self, segment_target_s: float) -> None:
        self._segment_target_s = segment_target_s
        self._readings: deque[IntakeHealth] = deque(maxlen=_KEPT)
        self._watched = {code: _Watched() for code in AdviceCode}

    @property
    def advice(self) -> Sequence[Advice]:
        """What holds now, problems first."""
        held = [
            Advice(code, watched.since)
            for code, watched in self._watched.items()
            if watched.since is not None
        ]
        return sorted(held, key=lambda one: one.words.severity is Severity.HINT)

    def take(self, reading: IntakeHealth, now: datetime) -> list[Change]:
        """Look at the next reading."""
        self._readings.append(reading)
        changes = []
        for code, is_wrong in _judge(self._readings, self._segment_target_s).items():
            change = _step(code, self._watched[code], now, is_wrong=is_wrong)
            if change is not None:
                changes.append(change)
        return changes


def _step(code: AdviceCode, watched: _Watched, now: datetime, *, is_wrong: bool) -> Change | None:
    watched.wrong = watched.wrong + 1 if is_wrong else 0
    watched.right = 0 if is_wrong else watched.right + 1
    if watched.since is None:
        cleared = watched.cleared_at
        is_soon = cleared is not None and (now - cleared).total_seconds() < _AGAIN_S
        if watched.wrong < _RAISE_AFTER or is_soon:
            return None
        watched.since = now
        return Change(Advice(code, now), is_raised=True)
    if watched.right < _CLEAR_AFTER:
        return None
    advice = Advice(code, watched.since)
    watched.since, watched.cleared_at = None, now
    return Change(advice, is_raised=False)


Readings = Sequence[IntakeHealth]
"""Oldest first; never empty."""


def _judge(readings: Readings, segment_target_s: float) -> dict[AdviceCode, bool]:
    """What every rule says of the newest reading."""
    verdicts = {code: rule(readings) for code, rule in _RULES.items()}
    gop_s = readings[-1].gop_s
    verdicts[AdviceCode.LONG_GOP] = gop_s > _GOP_TOLERANCE * segment_target_s
    return verdicts


def _is_slow(readings: Readings) -> bool:
    return bool(readings[-1].video_codec) and readings[-1].pace < _LEAST_PACE


def _drops_frames(readings: Readings) -> bool:
    """Against the frame rate that it had for most of the time."""
    usual = median(one.frames_per_s for one in readings)
    return len(readings) == _KEPT and 0 < readings[-1].frames_per_s < _LEAST_FRAMES * usual


def _is_unsteady(readings: Readings) -> bool:
    rates = [one.video_bits_per_s for one in readings if one.video_bits_per_s]
    if len(rates) < _KEPT:
        return False
    usual = fmean(rates)
    if usual < _LEAST_VIDEO_BITS_PER_S:
        return False
    return fmean(abs(rate - usual) for rate in rates) > _UNSTEADY * usual


def _is_silent(readings: Readings) -> bool:
    newest = readings[-1]
    return bool(newest.audio_codec) and 0 < newest.audio_bits_per_s < _SILENT_BITS_PER_S


def _lacks_audio(readings: Readings) -> bool:
    newest = readings[-1]
    return bool(newest.video_codec) and not newest.audio_bits_per_s


def _lacks_video(readings: Readings) -> bool:
    newest = readings[-1]
    return bool(newest.audio_codec) and not newest.video_bits_per_s


def _is_repaired(readings: Readings) -> bool:
    """In two of the last three readings."""
    counts = [one.timestamps_repaired for one in [*readings][-4:]]
    return sum(after > before for before, after in pairwise(counts)) > 1


_RULES: Mapping[AdviceCode, Callable[[Readings], bool]] = {
    AdviceCode.NO_AUDIO: _lacks_audio,
    AdviceCode.SILENCE: _is_silent,
    AdviceCode.NO_VIDEO: _lacks_video,
    AdviceCode.VIDEO_CODEC: lambda readings: readings[-1].video_codec not in {"", "h264"},
    AdviceCode.AUDIO_CODEC: lambda readings: readings[-1].audio_codec not in {"", "aac"},
    AdviceCode.FRAME_DROPS: _drops_frames,
    AdviceCode.SLOW_UPLOAD: _is_slow,
    AdviceCode.UNSTEADY_BITRATE: _is_unsteady,
    AdviceCode.AUDIO_DRIFT: lambda readings: abs(readings[-1].audio_drift_s) > _MOST_DRIFT_S,
    AdviceCode.AV_OFFSET: lambda readings: abs(readings[-1].av_offset_s) > _MOST_AV_OFFSET_S,
    AdviceCode.TIMESTAMPS: _is_repaired,
    AdviceCode.B_FRAMES: lambda readings: readings[-1].has_b_frames,
}
