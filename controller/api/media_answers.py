"""What media calls answer."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from controller.api.answers import CamelAnswer
from controller.domain.jobs import JobState


class UploadAnswer(CamelAnswer):
    """Where and how to upload."""

    key: str = Field(description="Names the upload in later calls.")
    url: str = Field(description="Takes one PUT of the file; secret until it expires.")
    method: Literal["PUT"]
    headers: dict[str, str] = Field(description="To be sent with the PUT, as they are.")
    expires_at: datetime
    public_url: str | None = Field(description="Where an uploaded image is shown from.")


class JobQueued(CamelAnswer):
    """A job that was taken in."""

    job_id: UUID
    status: JobState


class JobProblem(CamelAnswer):
    """Why a job failed."""

    code: str
    message: str
    field: str | None = Field(description="What of the input was wrong.")


class JobOutputAnswer(CamelAnswer):
    """Something that a job has made."""

    name: str = Field(description="`hls`, `dash`, `poster`, …")
    url: str
    content_type: str


class JobAnswer(CamelAnswer):
    """A job as it is now."""

    job_id: UUID
    status: JobState
    progress: int = Field(ge=0, le=100, description="Percent of this attempt.")
    attempts: int
    metadata: dict[str, Any] | None = Field(description="Of the source, once the job is done.")
    outputs: list[JobOutputAnswer]
    error: JobProblem | None = Field(
        description="Why it failed; while it is queued, why the attempt before did."
    )
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
