"""What the daemon and a worker say to each other over their socket pair: JSON lines.

They carry no media and no facts that are not in the journal: a message that is lost costs a
wake-up, never an entry.
"""

from typing import TypeAlias

import msgspec

from ingest.media import Codec
from ingest.session.state import SessionState


class _Message(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    pass


class StartSession(_Message, tag="start", frozen=True, kw_only=True):
    """Daemon → worker, once: pull `url` and package it into `folder`."""

    url: str
    folder: str
    part_target_s: float
    segment_target_s: float
    reason: str
    read_timeout_s: float
    standby: bool = False


class StartSpool(_Message, tag="spool", frozen=True, kw_only=True):
    """Daemon → packager: package the spool file `spool` into `folder`."""

    spool: str
    folder: str
    part_target_s: float
    segment_target_s: float
    reason: str


class Proceed(_Message, tag="proceed", frozen=True, kw_only=True):
    """Daemon → pull worker: package what you joined; until then it only looked."""


class StopSession(_Message, tag="stop", frozen=True, kw_only=True):
    """Daemon → worker: close what is open and end; `discard` what was not begun."""

    discard: bool = False


class StateChanged(_Message, tag="state", frozen=True, kw_only=True):
    """Worker → daemon: it has come to `state`; `error` tells why it failed."""

    state: SessionState
    error: str = ""
    code: str = ""
    retryable: bool = False


class TracksFound(_Message, tag="tracks", frozen=True, kw_only=True):
    """Pull worker → daemon: what the encoder sends, by codec."""

    codecs: list[Codec]


class JournalGrew(_Message, tag="journal", frozen=True, kw_only=True):
    """Worker → daemon: there is something new to read."""

    size: int


class SessionHealth(_Message, tag="health", frozen=True, kw_only=True):
    """Worker → daemon, every few seconds: how the session fares.

    Rates are those of the time since the last one; `dropped` and `repaired` count since the
    worker began. `unread_bytes`: what waits in the spool. `pace`: seconds of media a second.
    """

    video_bits_per_s: float
    audio_bits_per_s: float
    frames_per_s: float
    gop_s: float
    av_offset_s: float
    audio_drift_s: float
    dropped: int
    repaired: int
    unread_bytes: int = 0
    video_codec: str = ""
    audio_codec: str = ""
    has_b_frames: bool = False
    pace: float = 1.0


class SpaceMissing(_Message, tag="no_space", frozen=True, kw_only=True):
    """Packager → daemon, now and again: the disk is full; it goes on when there is space."""


class SessionReport(_Message, tag="report", frozen=True, kw_only=True):
    """Worker → daemon, at the end: what was counted, in access units; what did not come that
    far, in FLV tags."""

    video_frames: int
    audio_frames: int
    repaired_dts: int
    audio_reanchored: int
    dropped_before_start: int
    notifications_dropped: int
    silence_frames: int = 0
    dropped_behind_silence: int = 0
    still_frames: int = 0
    dropped_behind_still: int = 0
    tags_unsupported: int = 0
    tags_malformed: int = 0
    tags_empty: int = 0


ToWorker: TypeAlias = StartSession | StartSpool | Proceed | StopSession
FromWorker: TypeAlias = (
    StateChanged | TracksFound | JournalGrew | SessionHealth | SpaceMissing | SessionReport
)


class ToStream(msgspec.Struct, frozen=True, kw_only=True):
    """Daemon → packager: `message` for the session called `session`."""

    session: str
    message: ToWorker


class FromStream(msgspec.Struct, frozen=True, kw_only=True):
    """Packager → daemon: `message` of the session called `session`."""

    session: str
    message: FromWorker


_encoder = msgspec.json.Encoder()
_to_worker: msgspec.json.Decoder[ToWorker] = msgspec.json.Decoder(ToWorker)
_from_worker: msgspec.json.Decoder[FromWorker] = msgspec.json.Decoder(FromWorker)
_to_stream = msgspec.json.Decoder(ToStream)
_from_stream = msgspec.json.Decoder(FromStream)


def encode(message: ToWorker | FromWorker | ToStream | FromStream) -> bytes:
    """One line, newline included."""
    return _encoder.encode(message) + b"\n"


def decode_to_worker(line: bytes) -> ToWorker:
    """A line that the daemon wrote; msgspec.DecodeError for anything else."""
    return _to_worker.decode(line)


def decode_from_worker(line: bytes) -> FromWorker:
    """A line that a worker wrote; msgspec.DecodeError for anything else."""
    return _from_worker.decode(line)


def decode_to_stream(line: bytes) -> ToStream:
    """A line that the daemon wrote to a packager; msgspec.DecodeError for anything else."""
    return _to_stream.decode(line)


def decode_from_stream(line: bytes) -> FromStream:
    """A line that a packager wrote; msgspec.DecodeError for anything else."""
    return _from_stream.decode(line)
