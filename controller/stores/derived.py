"""What is derived from recordings, over either database; how far it is, its job says."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, delete, exists, insert, select, update

from controller.domain.derived import (
    Clip,
    ClipRange,
    ClipRules,
    CutClip,
    DerivedUrls,
    Mp4File,
    RecordingOutcome,
    RecordingWork,
)
from controller.domain.jobs import JobError, JobState
from controller.domain.ports import Clock
from controller.domain.states import StreamStatus
from controller.domain.streams import Stream
from controller.errors import ClipNotFound, TooManyClips
from controller.stores.database import Database
from controller.stores.derived_schema import clips, stream_derivations
from controller.stores.job_schema import jobs
from controller.stores.rows import stream_from
from controller.stores.schema import streams
from controller.stores.statements import insert_into, lock_stream

_ASSIGNED_S = 60.0
"""A clip that has no job for so long lost it: the daemon ended between two steps."""

_LOST = JobError("clip_lost", "The service was restarted before the clip could be cut")
_FORGOTTEN = JobError("job_forgotten", "What became of it is not known any more")


class SqlDerived:
    """The `DerivedStore` over either database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def begin_recording(self, stream_id: UUID, job_id: UUID) -> None:
        """See `DerivedStore.begin_recording`."""
        changed = {"job_id": job_id, "updated_at": self._clock.now()}
        async with self._database.write() as connection:
            await lock_stream(connection, stream_id)
            adding = insert_into(connection, stream_derivations).values(
                stream_id=stream_id, outcome=None, **changed
            )
            await connection.execute(
                adding.on_conflict_do_update(index_elements=["stream_id"], set_=changed)
            )

    async def finish_recording(
        self, stream_id: UUID, outcome: RecordingOutcome, urls: DerivedUrls
    ) -> None:
        """See `DerivedStore.finish_recording`."""
        now = self._clock.now()
        on_stream = {**asdict(urls), "updated_at": now}
        if urls.poster_url is not None:
            on_stream["thumbnail_url"] = urls.poster_url
        async with self._database.write() as connection:
            await lock_stream(connection, stream_id)
            await connection.execute(
                update(stream_derivations)
                .where(stream_derivations.c.stream_id == stream_id)
                .values(outcome=asdict(outcome), updated_at=now)
            )
            await connection.execute(
                update(streams).where(streams.c.id == stream_id).values(**on_stream)
            )

    async def recording(self, stream_id: UUID) -> RecordingWork | None:
        """See `DerivedStore.recording`."""
        query = (
            select(stream_derivations.c.outcome, *_JOB)
            .outerjoin(jobs, jobs.c.id == stream_derivations.c.job_id)
            .where(stream_derivations.c.stream_id == stream_id)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        if row.outcome is not None:
            return RecordingWork(JobState.DONE, _ALL, None, _outcome_from(row.outcome))
        if row.job_state is None:
            return RecordingWork(JobState.FAILED, 0, _FORGOTTEN, None)
        return RecordingWork(row.job_state, row.job_progress, _error_from(row.job_error), None)

    async def underived(self, limit: int) -> Sequence[Stream]:
        """See `DerivedStore.underived`."""
        begun = exists().where(stream_derivations.c.stream_id == streams.c.id)
        query = (
            select(streams)
            .where(streams.c.status == StreamStatus.ENDED, streams.c.vod_url.is_not(None), ~begun)
            .order_by(streams.c.ended_at, streams.c.id)
            .limit(limit)
        )
        async with self._database.read() as connection:
            return [stream_from(row) for row in await connection.execute(query)]

    async def set_thumbnail(self, stream_id: UUID, url: str | None) -> None:
        """See `DerivedStore.set_thumbnail`."""
        changing = (
            update(streams)
            .where(streams.c.id == stream_id, streams.c.poster_url.is_(None))
            .values(thumbnail_url=url, updated_at=self._clock.now())
        )
        async with self._database.write() as connection:
            await connection.execute(changing)

    async def add_clip(self, clip: Clip, rules: ClipRules) -> None:
        """See `DerivedStore.add_clip`."""
        async with self._database.write() as connection:
            await lock_stream(connection, clip.stream_id)
            rows = (await connection.execute(_clips_of(clip.stream_id))).all()
            kept = [self._clip_from(row) for row in rows]
            unfinished = sum(not one.state.is_over for one in kept)
            if len(kept) >= rules.most or unfinished >= rules.most_unfinished:
                raise TooManyClips
            await connection.execute(
                insert(clips).values(
                    id=clip.id,
                    stream_id=clip.stream_id,
                    title=clip.title,
                    start_s=clip.range.start_s,
                    end_s=clip.range.end_s,
                    exact=clip.exact,
                    created_at=clip.created_at,
                )
            )

    async def assign_clip(self, clip_id: UUID, job_id: UUID) -> None:
        """See `DerivedStore.assign_clip`."""
        async with self._database.write() as connection:
            await connection.execute(
                update(clips).where(clips.c.id == clip_id).values(job_id=job_id)
            )

    async def finish_clip(self, clip_id: UUID, made: CutClip) -> None:
        """See `DerivedStore.finish_clip`."""
        async with self._database.write() as connection:
            await connection.execute(
                update(clips).where(clips.c.id == clip_id).values(made=asdict(made))
            )

    async def clip(self, stream_id: UUID, clip_id: UUID) -> Clip:
        """See `DerivedStore.clip`."""
        async with self._database.read() as connection:
            query = _clips_of(stream_id).where(clips.c.id == clip_id)
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise ClipNotFound
        return self._clip_from(row)

    async def clips(self, stream_id: UUID) -> Sequence[Clip]:
        """See `DerivedStore.clips`."""
        query = _clips_of(stream_id).order_by(clips.c.created_at.desc(), clips.c.id.desc())
        async with self._database.read() as connection:
            return [self._clip_from(row) for row in await connection.execute(query)]

    async def remove_clip(self, clip_id: UUID) -> None:
        """See `DerivedStore.remove_clip`."""
        async with self._database.write() as connection:
            await connection.execute(delete(clips).where(clips.c.id == clip_id))

    def _clip_from(self, row: Row[Any]) -> Clip:
        state, progress, error = self._standing(row)
        return Clip(
            id=row.id,
            stream_id=row.stream_id,
            title=row.title,
            range=ClipRange(row.start_s, row.end_s),
            exact=row.exact,
            created_at=row.created_at,
            state=state,
            progress=progress,
            error=error,
            made=_made_from(row.made) if row.made is not None else None,
        )

    def _standing(self, row: Row[Any]) -> tuple[JobState, int, JobError | None]:
        """How far a clip is: a job that is done without a result has been stopped half way."""
        if row.made is not None:
            return JobState.DONE, _ALL, None
        if row.job_id is None:
            waited_long = self._clock.now() - row.created_at > timedelta(seconds=_ASSIGNED_S)
            return (JobState.FAILED, 0, _LOST) if waited_long else (JobState.QUEUED, 0, None)
        if row.job_state is None or row.job_state is JobState.DONE:
            return JobState.FAILED, 0, _FORGOTTEN
        return row.job_state, row.job_progress, _error_from(row.job_error)


_ALL = 100
_JOB = (
    jobs.c.state.label("job_state"),
    jobs.c.progress.label("job_progress"),
    jobs.c.error.label("job_error"),
)


def _clips_of(stream_id: UUID) -> Select[Any]:
    joined = select(clips, *_JOB).outerjoin(jobs, jobs.c.id == clips.c.job_id)
    return joined.where(clips.c.stream_id == stream_id)


def _error_from(kept: dict[str, Any] | None) -> JobError | None:
    return JobError(**kept) if kept else None


def _outcome_from(kept: dict[str, Any]) -> RecordingOutcome:
    mp4, poster = kept["mp4"], kept["poster"]
    return RecordingOutcome(
        mp4=Mp4File(**mp4) if mp4 else None,
        mp4_error=_error_from(kept["mp4_error"]),
        poster=(poster[0], poster[1]) if poster else None,
        sheets=kept["sheets"],
        interval_s=kept["interval_s"],
    )


def _made_from(kept: dict[str, Any]) -> CutClip:
    return CutClip(ClipRange(**kept["range"]), Mp4File(**kept["file"]), kept["has_poster"])
