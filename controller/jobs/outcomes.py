"""What becomes of an attempt that raised: pure."""

import random
from dataclasses import dataclass

from controller.domain.jobs import JobError
from controller.errors import ControllerError
from controller.jobs.kinds import JobRefused
from ingest import IngestError, MediaRefused, ObjectStoreError, TaskCrashed

_INTERNAL = JobError("internal_error", "The job failed for a reason of our own; it is in the log")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The pause before attempt n + 1: from `first_s` on, each `factor` times the one before."""

    first_s: float = 2.0
    factor: float = 4.0
    longest_s: float = 600.0

    def pause_s(self, attempts: int, chance: random.Random) -> float:
        """After `attempts` starts; spread over a quarter, so that many jobs do not come at once."""
        pause_s = min(self.longest_s, self.first_s * self.factor ** (attempts - 1))
        return pause_s * (1 + 0.25 * chance.random())


def job_error(error: Exception) -> JobError:
    """What the job's owner is told; an error that is no word of ours tells nothing."""
    match error:
        case MediaRefused():
            return JobError(error.reason, str(error), error.field)
        case JobRefused():
            return JobError(error.reason, error.detail, error.field)
        case ObjectStoreError():  # its text names buckets and hosts
            return JobError(error.code, "The object store could not be used")
        case IngestError():
            return JobError(error.code, str(error))
        case ControllerError():
            return JobError(error.code, error.detail)
        case _:
            return _INTERNAL


def is_passing(error: Exception) -> bool:
    """Whether the same job may succeed later."""
    if isinstance(error, TaskCrashed):
        return error.passing
    return isinstance(error, IngestError | ControllerError) and error.retryable


def asked_pause_s(error: Exception) -> float:
    """How long the other side asks to be left alone."""
    return error.retry_after_s if isinstance(error, ObjectStoreError) else 0.0
