"""What a kind of background job is: the port that a new kind implements."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from controller.domain.jobs import Job, JobResult
from controller.errors import ControllerError


class JobRefused(ControllerError):
    """A job that cannot be done, now or later: what it was given is wrong.

    reason: stable and machine-readable. field: what of the input is wrong, if any.
    """

    code = "job_refused"
    http_status = 422
    title = "The job cannot be done"

    def __init__(self, reason: str, detail: str, field: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.field = field


@dataclass(frozen=True, slots=True)
class JobWork:
    """What a running job works with.

    folder: its own, empty, removed when the attempt is over.
    progress: to be called with percent, as often as one likes.
    """

    folder: Path
    progress: Callable[[float], None]


class JobKind(Protocol):
    """One kind of job: what it is called, and how it is done.

    `run` does one attempt from the beginning; nothing of an attempt before may be relied on, and
    whatever it stored is stored again. It is cancelled (asyncio) when the job is, when the worker
    stops and when its lease is lost; a media task's process ends with it. It raises:

    - JobRefused or MediaRefused, TaskTooExpensive: the job has failed, trying again would not help;
    - any other error that is `retryable`, or a TaskCrashed that is `passing`: tried again later, up
      to `attempts` starts in all;
    - anything else: the job has failed.
    """

    @property
    def name(self) -> str:
        """The kind's word in the database, up to 32 characters."""
        ...

    @property
    def attempts(self) -> int:
        """Starts in all; one whose worker was killed counts, one that was put back does not."""
        ...

    async def run(self, job: Job, work: JobWork) -> JobResult:
        """Do the job."""
        ...
