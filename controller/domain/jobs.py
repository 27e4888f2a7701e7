"""Background jobs: what they are, what they may become, and who keeps and queues them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Any, Protocol
from uuid import UUID


class JobState(StrEnum):
    """How far a job has come."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return not JOB_TRANSITIONS[self]


JOB_TRANSITIONS: Mapping[JobState, frozenset[JobState]] = MappingProxyType(
    {
        JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED}),
        # Back to queued: it is tried again, or its worker was stopped or lost.
        JobState.RUNNING: frozenset(
            {JobState.DONE, JobState.FAILED, JobState.CANCELLED, JobState.QUEUED}
        ),
        JobState.DONE: frozenset(),
        JobState.FAILED: frozenset(),
        JobState.CANCELLED: frozenset(),
    }
)


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job failed: `code` is stable, `field` names what was wrong with the input, if any."""

    code: str
    message: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class JobOutput:
    """An object that a job has stored: its key, and what it is."""

    name: str
    key: str
    content_type: str


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a job that is done has to show. `metadata` is JSON."""

    metadata: Mapping[str, Any] = field(default_factory=dict)
    outputs: Sequence[JobOutput] = ()


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be done.

    kind: which `JobKind` does it. subject: what it is about; there is at most one unfinished job
    of a kind for a subject. arguments: JSON, the kind's own. owner_id: who may ask for it; None:
    the service's own.
    """

    kind: str
    subject: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    owner_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is kept. `attempts` counts the starts, `progress` is in percent."""

    id: UUID
    kind: str
    subject: str
    arguments: Mapping[str, Any]
    owner_id: UUID | None
    state: JobState
    progress: int
    attempts: int
    error: JobError | None
    result: JobResult
    cancel_requested: bool
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None


class Hold(Enum):
    """What became of a worker's hold on a running job."""

    KEPT = "kept"
    CANCELLED = "cancelled"
    LOST = "lost"


class JobStore(Protocol):
    """Jobs and their states. A running job is leased to one worker: whoever does not renew its
    lease in time loses the job, and what it says of it afterwards changes nothing.
    """

    async def add(self, job_id: UUID, new: NewJob) -> Job:
        """Queue a job; the unfinished one of the same kind and subject instead, if there is."""
        ...

    async def get(self, job_id: UUID) -> Job:
        """The job; JobNotFound."""
        ...

    async def claim(self, job_id: UUID, worker: str, lease_s: float) -> Job | None:
        """Lease a queued job, or a running one whose lease has run out; None: not to be had."""
        ...

    async def renew(self, job_id: UUID, worker: str, lease_s: float, progress: int) -> Hold:
        """Prolong the lease and note the progress."""
        ...

    async def finish(self, job_id: UUID, worker: str, result: JobResult) -> bool:
        """running → done; False when the lease was lost."""
        ...

    async def fail(self, job_id: UUID, worker: str, error: JobError) -> bool:
        """running → failed; False when the lease was lost."""
        ...

    async def put_back(
        self, job_id: UUID, worker: str, delay_s: float, error: JobError | None
    ) -> bool:
        """running → queued, not to be started for `delay_s`; False when the lease was lost.

        Without an error the start does not count as an attempt. A job whose cancellation was asked
        for is cancelled instead.
        """
        ...

    async def cancel(self, job_id: UUID) -> Job:
        """queued → cancelled; a running job's worker is asked to stop. JobNotFound, JobIsOver."""
        ...

    async def cancelled(self, job_id: UUID, worker: str) -> bool:
        """running → cancelled, said by its worker; False when the lease was lost."""
        ...

    async def due(self, limit: int) -> Sequence[UUID]:
        """Jobs that could be claimed now, the oldest first."""
        ...


class JobQueue(Protocol):
    """Wakes workers up. The store is the truth: a wake-up that is lost or doubled does no harm."""

    async def wake(self, job_id: UUID, delay_s: float = 0.0) -> None:
        """Have a worker look at the job, not before `delay_s`; never raises."""
        ...


class JobDesk(Protocol):
    """Where jobs are handed in."""

    async def submit(self, new: NewJob) -> Job:
        """Queue a job and wake a worker; the unfinished one of the same kind and subject, if any.

        StoreUnavailable.
        """
        ...

    async def get(self, job_id: UUID) -> Job:
        """The job; JobNotFound."""
        ...

    async def cancel(self, job_id: UUID) -> Job:
        """Cancel it, now or as soon as its worker notices; JobNotFound, JobIsOver."""
        ...
