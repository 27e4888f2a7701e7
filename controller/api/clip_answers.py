"""What calls about clips and other derived media answer."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from controller.api.answers import CamelAnswer
from controller.api.media_answers import JobProblem
from controller.domain.jobs import JobState


class ClipRangeAnswer(CamelAnswer):
    """A stretch of the recording's timeline, in seconds."""

    start: float
    end: float


class ClipAnswer(CamelAnswer):
    """A clip. For limited audiences its addresses need a playback token in front of their path."""

    id: UUID
    stream_id: UUID
    title: str
    start: float = Field(description="As asked for.")
    end: float = Field(description="As asked for.")
    exact: bool
    status: JobState
    progress: int = Field(description="Percent.")
    shows: ClipRangeAnswer | None = Field(
        description="What the clip really shows; null until it is done."
    )
    url: str | None = Field(description="The clip, a progressive MP4; null until it is done.")
    poster_url: str | None = Field(description="A JPEG of its first frame.")
    duration: float | None = Field(description="Seconds.")
    size: int | None = Field(description="Bytes.")
    width: int | None
    height: int | None
    error: JobProblem | None = Field(description="Why it failed.")
    created_at: datetime


class ClipList(CamelAnswer):
    """The clips of a stream, newest first."""

    items: list[ClipAnswer]


class Mp4Answer(CamelAnswer):
    """The recording as a progressive MP4."""

    url: str
    size: int = Field(description="Bytes.")
    duration: float = Field(description="Seconds.")
    width: int
    height: int


class PosterAnswer(CamelAnswer):
    """A picture of the recording."""

    url: str
    width: int
    height: int


class StoryboardAnswer(CamelAnswer):
    """Small pictures of the recording for seeking: WebVTT, whose cues name a sheet and `#xywh`."""

    url: str
    interval: float = Field(description="Seconds between two tiles, at least.")
    sheets: int


class DerivedMediaAnswer(CamelAnswer):
    """What is derived from a stream's recording, and how far that is.

    For limited audiences addresses need a playback token in front of their path.
    """

    stream_id: UUID
    status: JobState | None = Field(description="Null while there is no recording to work on.")
    progress: int = Field(description="Percent.")
    error: JobProblem | None = Field(description="Why nothing could be made, or no MP4.")
    thumbnail_url: str | None
    mp4: Mp4Answer | None
    poster: PosterAnswer | None
    storyboard: StoryboardAnswer | None
    clippable: ClipRangeAnswer | None = Field(
        description="For the owner: what a clip can be cut from now."
    )
