"""The table of background jobs, on the one schema."""

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    Uuid,
)

from controller.domain.jobs import JobState
from controller.stores.column_types import UtcDateTime, Word
from controller.stores.schema import metadata

_STATES = ", ".join(f"'{state}'" for state in JobState)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), index=True),
    Column("kind", String(32), nullable=False),
    Column("subject", Text, nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("state", Word(JobState), nullable=False),
    Column("progress", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", JSON(none_as_null=True)),
    Column("metadata", JSON, nullable=False),
    Column("outputs", JSON, nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    # Who runs it, and until when nobody else may.
    Column("worker", String(64)),
    Column("lease_until", UtcDateTime),
    Column("not_before", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    CheckConstraint(f"state IN ({_STATES})", name="state_word"),
    CheckConstraint("progress BETWEEN 0 AND 100", name="progress_percent"),
    CheckConstraint("(state = 'running') = (lease_until IS NOT NULL)", name="leased"),
    Index("ix_jobs_state_not_before", "state", "not_before"),
)
_unfinished = jobs.c.state.in_([JobState.QUEUED, JobState.RUNNING])
Index(
    "uq_jobs_unfinished",
    jobs.c.kind,
    jobs.c.subject,
    unique=True,
    sqlite_where=_unfinished,
    postgresql_where=_unfinished,
)
