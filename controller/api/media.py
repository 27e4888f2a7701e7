"""The media calls: uploads, their processing, and how far it is."""

from uuid import UUID

from controller.api.media_answers import (
    JobAnswer,
    JobOutputAnswer,
    JobProblem,
    JobQueued,
    UploadAnswer,
)
from controller.api.public_urls import PublicUrls
from controller.api.registry import Answer, AnyOperation, Call, Operation
from controller.api.requests import Nothing, UploadCreate, VideoProcess
from controller.domain.jobs import Job
from controller.domain.media import MediaFamily, family_of
from controller.domain.media_service import MediaService
from controller.errors import (
    JobIsOver,
    JobNotFound,
    NotYourJob,
    NotYourUpload,
    ObjectsUnavailable,
    UploadNotFound,
)

_TAG = "Media"


class MediaHandlers:
    """From validated calls to the media service and back."""

    def __init__(self, media: MediaService, urls: PublicUrls) -> None:
        self._media = media
        self._urls = urls

    async def create_upload(self, call: Call[UploadCreate, Nothing]) -> Answer:
        """POST /media/upload-url."""
        body = call.body
        ticket = self._media.ticket(call.caller, body.filename, body.content_type, body.size)
        upload = ticket.upload
        is_image = family_of(upload.content_type) is MediaFamily.IMAGE
        return Answer(
            UploadAnswer(
                key=upload.key,
                url=ticket.url,
                method="PUT",
                headers=dict(ticket.headers),
                expires_at=upload.expires_at,
                public_url=self._urls.stored(upload.key) if is_image else None,
            ),
            201,
        )

    async def process_video(self, call: Call[VideoProcess, Nothing]) -> Answer:
        """POST /media/video/process."""
        body = call.body
        poster_s = body.options.poster_timestamp_seconds
        job = await self._media.process_video(call.caller, body.key, poster_s)
        return Answer(JobQueued(job_id=job.id, status=job.state), 202)

    async def get_job(self, call: Call[Nothing, Nothing]) -> Answer:
        """GET /media/status/{job_id}."""
        return Answer(self._show(await self._media.job(call.caller, _job_id(call))))

    async def cancel_job(self, call: Call[Nothing, Nothing]) -> Answer:
        """DELETE /media/status/{job_id}."""
        job = await self._media.cancel(call.caller, _job_id(call))
        return Answer(self._show(job), message="Cancelled, or about to be")

    def _show(self, job: Job) -> JobAnswer:
        error = job.error
        return JobAnswer(
            job_id=job.id,
            status=job.state,
            progress=job.progress,
            attempts=job.attempts,
            metadata=dict(job.result.metadata) or None,
            outputs=[
                JobOutputAnswer(
                    name=output.name,
                    url=self._urls.stored(output.key),
                    content_type=output.content_type,
                )
                for output in job.result.outputs
            ],
            error=error
            and JobProblem(code=error.code, message=error.message, field=error.field or None),
            created_at=job.created_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
        )


def media_operations(handlers: MediaHandlers) -> list[AnyOperation]:
    """Every media call."""
    return [
        Operation(
            method="POST",
            path="/media/upload-url",
            id="createUpload",
            tag=_TAG,
            summary="Ask where to upload an image or a video",
            who="Any user",
            handler=handlers.create_upload,
            body=UploadCreate,
            answers={201: UploadAnswer},
        ),
        Operation(
            method="POST",
            path="/media/video/process",
            id="processVideo",
            tag=_TAG,
            summary="Make a poster, HLS and DASH of an uploaded video; repeating it while it is "
            "going on answers the same job",
            who="The uploader",
            handler=handlers.process_video,
            body=VideoProcess,
            answers={202: JobQueued},
            refusals=(NotYourUpload, UploadNotFound, ObjectsUnavailable),
            gives={"job_id": "$response.body#/data/jobId"},
        ),
        Operation(
            method="GET",
            path="/media/status/{job_id}",
            id="getJob",
            tag=_TAG,
            summary="Read how far a job is, and what it made",
            who="Whoever handed it in",
            handler=handlers.get_job,
            answers={200: JobAnswer},
            refusals=(JobNotFound, NotYourJob),
        ),
        Operation(
            method="DELETE",
            path="/media/status/{job_id}",
            id="cancelJob",
            tag=_TAG,
            summary="Cancel a job; one that runs stops within seconds",
            who="Whoever handed it in",
            handler=handlers.cancel_job,
            answers={200: JobAnswer},
            refusals=(JobNotFound, NotYourJob, JobIsOver),
        ),
    ]


def _job_id(call: Call[Nothing, Nothing]) -> UUID:
    return call.path["job_id"]
