"""What is derived from a stream's recording: its MP4, pictures, and clips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from controller.domain.jobs import JobError, JobState
from controller.domain.streams import Stream

DERIVE_RECORDING = "derive_recording"
"""The kind of job that makes MP4, poster and storyboard of a recording; its subject is the
stream."""

CUT_CLIP = "cut_clip"
"""The kind of job that cuts a clip; its subject is the clip."""


@dataclass(frozen=True, slots=True)
class Mp4File:
    """A progressive MP4: size in bytes, length in seconds, picture size (0 without video)."""

    size: int
    duration_s: float
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class RecordingOutcome:
    """What has been made of a recording. `mp4_error` says why there is no MP4; `poster` is its
    size, None where the recording has no picture; `sheets` counts the storyboard's pictures."""

    mp4: Mp4File | None = None
    mp4_error: JobError | None = None
    poster: tuple[int, int] | None = None
    sheets: int = 0
    interval_s: float = 0.0


@dataclass(frozen=True, slots=True)
class RecordingWork:
    """How far the derivation is; `outcome` is there when it is done."""

    state: JobState
    progress: int
    error: JobError | None
    outcome: RecordingOutcome | None


@dataclass(frozen=True, slots=True)
class DerivedUrls:
    """Where a recording's derived media are; None for what there is not."""

    mp4_url: str | None
    poster_url: str | None
    storyboard_url: str | None


@dataclass(frozen=True, slots=True)
class ClipRange:
    """A stretch of a recording's timeline, in seconds."""

    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        """Its length."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class CutClip:
    """A clip that was made: what it really shows, its file, whether there is a picture of it."""

    range: ClipRange
    file: Mp4File
    has_poster: bool


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip of a stream, and how far it is; `made` when it is done."""

    id: UUID
    stream_id: UUID
    title: str
    range: ClipRange
    exact: bool
    created_at: datetime
    state: JobState = JobState.QUEUED
    progress: int = 0
    error: JobError | None = None
    made: CutClip | None = None


@dataclass(frozen=True, slots=True)
class ClipRules:
    """Limits: lengths in seconds, numbers of a stream's clips."""

    longest_s: float
    longest_exact_s: float
    most: int
    most_unfinished: int
    shortest_s: float = 0.5


class DerivedStore(Protocol):
    """What is kept about derived media."""

    async def begin_recording(self, stream_id: UUID, job_id: UUID) -> None:
        """A job derives the stream's recording from now on; StreamNotFound."""
        ...

    async def finish_recording(
        self, stream_id: UUID, outcome: RecordingOutcome, urls: DerivedUrls
    ) -> None:
        """What came of it; the stream gets its addresses. StreamNotFound."""
        ...

    async def recording(self, stream_id: UUID) -> RecordingWork | None:
        """How far the derivation is; None when none was begun."""
        ...

    async def underived(self, limit: int) -> Sequence[Stream]:
        """Ended streams with a recording of which nothing has been begun, the oldest first."""
        ...

    async def set_thumbnail(self, stream_id: UUID, url: str | None) -> None:
        """Where the stream's picture is while it is live; one that has a poster keeps that."""
        ...

    async def add_clip(self, clip: Clip, rules: ClipRules) -> None:
        """Keep a new clip; TooManyClips."""
        ...

    async def assign_clip(self, clip_id: UUID, job_id: UUID) -> None:
        """A job makes the clip from now on."""
        ...

    async def finish_clip(self, clip_id: UUID, made: CutClip) -> None:
        """The clip is there; one that was removed meanwhile stays so."""
        ...

    async def clip(self, stream_id: UUID, clip_id: UUID) -> Clip:
        """A clip of the stream; ClipNotFound."""
        ...

    async def clips(self, stream_id: UUID) -> Sequence[Clip]:
        """All clips of the stream, newest first; `ClipRules.most` bounds them."""
        ...

    async def remove_clip(self, clip_id: UUID) -> None:
        """Forget a clip, also when it is not known."""
        ...


class ClipSource(Protocol):
    """Where clips are cut from: live windows and recordings."""

    async def available(self, stream: Stream) -> ClipRange | None:
        """What can be cut now; None when there is nothing. ObjectsUnavailable."""
        ...

    async def stage(
        self, stream: Stream, clip_id: UUID, wanted: ClipRange, *, exact: bool
    ) -> Mapping[str, Any]:
        """Keep what the clip needs from leaving, and say what the job has to know: JSON.

        ObjectsUnavailable, NothingToClip.
        """
        ...
