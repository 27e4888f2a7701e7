"""The calls about clips and other media that are derived from a stream."""

from controller.api.clip_answers import (
    ClipAnswer,
    ClipList,
    ClipRangeAnswer,
    DerivedMediaAnswer,
    Mp4Answer,
    PosterAnswer,
    StoryboardAnswer,
)
from controller.api.media_answers import JobProblem
from controller.api.public_urls import PublicUrls
from controller.api.registry import Access, Answer, AnyOperation, Call, Operation
from controller.api.requests import ClipCreate, Nothing
from controller.domain.clip_service import ClipService
from controller.domain.derived import Clip, ClipRange, RecordingWork
from controller.domain.jobs import JobError
from controller.domain.streams import Stream
from controller.errors import (
    ClipNotFound,
    NothingToClip,
    NotInAudience,
    NotYourStream,
    ObjectsUnavailable,
    StreamNotFound,
    TooManyClips,
)

_TAG = "Clips and pictures"


class ClipHandlers:
    """From validated calls to the clip service and back."""

    def __init__(self, clips: ClipService, urls: PublicUrls) -> None:
        self._clips = clips
        self._urls = urls

    async def create(self, call: Call[ClipCreate, Nothing]) -> Answer:
        """POST /streams/{stream_id}/clips."""
        body = call.body
        wanted = ClipRange(body.start, body.end)
        stream_id = call.path["stream_id"]
        clip = await self._clips.create(
            call.caller, stream_id, body.title, wanted, exact=body.exact
        )
        return Answer(self._show(clip), 202, "The clip is being cut")

    async def list(self, call: Call[Nothing, Nothing]) -> Answer:
        """GET /streams/{stream_id}/clips."""
        _, clips = await self._clips.list(call.identity, call.path["stream_id"])
        return Answer(ClipList(items=[self._show(clip) for clip in clips]))

    async def get(self, call: Call[Nothing, Nothing]) -> Answer:
        """GET /streams/{stream_id}/clips/{clip_id}."""
        path = call.path
        _, clip = await self._clips.get(call.identity, path["stream_id"], path["clip_id"])
        return Answer(self._show(clip))

    async def media(self, call: Call[Nothing, Nothing]) -> Answer:
        """GET /streams/{stream_id}/media."""
        stream, work = await self._clips.media(call.identity, call.path["stream_id"])
        available = await self._clips.available(call.identity, stream)
        return Answer(_show_media(stream, work, available))

    def _show(self, clip: Clip) -> ClipAnswer:
        made, file = clip.made, clip.made and clip.made.file
        return ClipAnswer(
            id=clip.id,
            stream_id=clip.stream_id,
            title=clip.title,
            start=clip.range.start_s,
            end=clip.range.end_s,
            exact=clip.exact,
            status=clip.state,
            progress=clip.progress,
            shows=made and _show_range(made.range),
            url=made and self._urls.clip(clip.stream_id, clip.id),
            poster_url=self._urls.clip(clip.stream_id, clip.id, "jpg")
            if made and made.has_poster
            else None,
            duration=file and file.duration_s,
            size=file and file.size,
            width=file and file.width,
            height=file and file.height,
            error=_show_error(clip.error),
            created_at=clip.created_at,
        )


def _show_media(
    stream: Stream, work: RecordingWork | None, available: ClipRange | None
) -> DerivedMediaAnswer:
    outcome = work.outcome if work else None
    mp4 = outcome.mp4 if outcome else None
    poster = outcome.poster if outcome else None
    error = work.error if work else None
    return DerivedMediaAnswer(
        stream_id=stream.id,
        status=work and work.state,
        progress=work.progress if work else 0,
        error=_show_error(outcome.mp4_error if outcome else error),
        thumbnail_url=stream.thumbnail_url,
        mp4=Mp4Answer(
            url=stream.mp4_url,
            size=mp4.size,
            duration=mp4.duration_s,
            width=mp4.width,
            height=mp4.height,
        )
        if mp4 and stream.mp4_url
        else None,
        poster=PosterAnswer(url=stream.poster_url, width=poster[0], height=poster[1])
        if poster and stream.poster_url
        else None,
        storyboard=StoryboardAnswer(
            url=stream.storyboard_url, interval=outcome.interval_s, sheets=outcome.sheets
        )
        if outcome and stream.storyboard_url
        else None,
        clippable=available and _show_range(available),
    )


def _show_range(shown: ClipRange) -> ClipRangeAnswer:
    return ClipRangeAnswer(start=round(shown.start_s, 3), end=round(shown.end_s, 3))


def _show_error(error: JobError | None) -> JobProblem | None:
    if error is None:
        return None
    return JobProblem(code=error.code, message=error.message, field=error.field or None)


def clip_operations(handlers: ClipHandlers) -> list[AnyOperation]:
    """Every call about clips and derived media."""
    return [
        Operation(
            method="POST",
            path="/streams/{stream_id}/clips",
            id="createClip",
            tag=_TAG,
            summary="Cut a clip from what is live or from the recording",
            who="The owner",
            handler=handlers.create,
            body=ClipCreate,
            answers={202: ClipAnswer},
            refusals=(
                StreamNotFound,
                NotYourStream,
                NothingToClip,
                TooManyClips,
                ObjectsUnavailable,
            ),
            gives={
                "stream_id": "$request.path.stream_id",
                "clip_id": "$response.body#/data/id",
            },
        ),
        Operation(
            method="GET",
            path="/streams/{stream_id}/clips",
            id="listClips",
            tag=_TAG,
            summary="List the clips of a stream, newest first; the owner sees those in the making",
            who="Anyone, within the audience",
            handler=handlers.list,
            answers={200: ClipList},
            refusals=(StreamNotFound, NotInAudience),
            access=Access.ANYONE,
        ),
        Operation(
            method="GET",
            path="/streams/{stream_id}/clips/{clip_id}",
            id="getClip",
            tag=_TAG,
            summary="Read a clip, and how far it is",
            who="Anyone, within the audience; the owner while it is in the making",
            handler=handlers.get,
            answers={200: ClipAnswer},
            refusals=(StreamNotFound, NotInAudience, ClipNotFound),
            access=Access.ANYONE,
        ),
        Operation(
            method="GET",
            path="/streams/{stream_id}/media",
            id="getDerivedMedia",
            tag=_TAG,
            summary="Read what was derived from the recording: MP4, poster, storyboard",
            who="Anyone, within the audience",
            handler=handlers.media,
            answers={200: DerivedMediaAnswer},
            refusals=(StreamNotFound, NotInAudience, ObjectsUnavailable),
            access=Access.ANYONE,
        ),
    ]
