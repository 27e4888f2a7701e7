"""Uploads and their processing, as callers ask for them."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from controller.domain.jobs import Job, JobDesk, NewJob
from controller.domain.media import (
    PROCESS_VIDEO,
    Upload,
    UploadedObjects,
    UploadRules,
    UploadTicket,
    UploadTickets,
    family_of,
    upload_key,
    uploader_of,
)
from controller.domain.people import Identity
from controller.domain.ports import Clock
from controller.errors import (
    FieldError,
    InvalidRequest,
    NotYourJob,
    NotYourUpload,
    UploadNotFound,
)


class MediaService:
    """Who may upload what, and have it processed."""

    def __init__(
        self,
        tickets: UploadTickets,
        objects: UploadedObjects,
        jobs: JobDesk,
        rules: UploadRules,
        clock: Clock,
        new_id: Callable[[], UUID],
    ) -> None:
        self._tickets = tickets
        self._objects = objects
        self._jobs = jobs
        self._rules = rules
        self._clock = clock
        self._new_id = new_id

    def ticket(self, caller: Identity, filename: str, content_type: str, size: int) -> UploadTicket:
        """A ticket for one upload of an allowed type; InvalidRequest when it is too large."""
        most = self._rules.max_bytes(family_of(content_type))
        if size > most:
            reason = f"must be at most {most} for {family_of(content_type)}s"
            raise InvalidRequest([FieldError("body", "size", reason, "less_than_equal")])
        key = upload_key(caller.user_id, self._new_id(), filename, content_type)
        expires_at = self._clock.now() + timedelta(seconds=self._rules.ticket_ttl_s)
        return self._tickets.issue(Upload(key, content_type, size, expires_at))

    async def process_video(self, caller: Identity, key: str, poster_s: float) -> Job:
        """Queue the processing of the caller's upload; the unfinished job of an earlier call.

        NotYourUpload, UploadNotFound, ObjectsUnavailable.
        """
        if uploader_of(key) != caller.user_id:
            raise NotYourUpload
        if await self._objects.size(key) is None:
            raise UploadNotFound
        arguments = {"key": key, "posterS": poster_s}
        return await self._jobs.submit(NewJob(PROCESS_VIDEO, key, arguments, caller.user_id))

    async def job(self, caller: Identity, job_id: UUID) -> Job:
        """A job of the caller's; JobNotFound, NotYourJob."""
        job = await self._jobs.get(job_id)
        if job.owner_id != caller.user_id and not caller.is_admin:
            raise NotYourJob
        return job

    async def cancel(self, caller: Identity, job_id: UUID) -> Job:
        """Cancel a job of the caller's; JobNotFound, NotYourJob, JobIsOver."""
        await self.job(caller, job_id)
        return await self._jobs.cancel(job_id)
