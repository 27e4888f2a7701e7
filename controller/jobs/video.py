"""Processing an uploaded video: fetch it, make the ladder in a process of its own, store it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import msgspec

from controller.domain.jobs import Job, JobOutput, JobResult
from controller.domain.media import PROCESS_VIDEO, made_key
from controller.jobs.kinds import JobRefused, JobWork
from ingest import (
    DASH_NAME,
    HLS_NAME,
    POSTER_NAME,
    VIDEO_TASK,
    MadeFile,
    MediaLimits,
    ObjectStore,
    TaskLimits,
    VideoRequest,
    made_files,
    run_task,
)

_STORED_AT_ONCE = 4
_FETCHED_PERCENT = 5.0
_MADE_PERCENT = 85.0
_OUTPUTS = (
    ("hls", HLS_NAME, "application/vnd.apple.mpegurl"),
    ("dash", DASH_NAME, "application/dash+xml"),
    ("poster", POSTER_NAME, "image/jpeg"),
)


@dataclass(frozen=True, slots=True)
class VideoJobSettings:
    """What an upload may be, and what processing it may use."""

    media: MediaLimits
    task: TaskLimits


class VideoProcessing:
    """Implements JobKind. Its outputs are below `media/{job id}/`."""

    name = PROCESS_VIDEO
    attempts = 4

    def __init__(
        self, objects: ObjectStore, settings: VideoJobSettings, wall_s: Callable[[], float]
    ) -> None:
        self._objects = objects
        self._settings = settings
        self._wall_s = wall_s

    async def run(self, job: Job, work: JobWork) -> JobResult:
        """See `JobKind.run`. Arguments: key, posterS."""
        source, made = work.folder / "source", work.folder / "made"
        await self._fetch(job.arguments["key"], source)
        made.mkdir()
        work.progress(_FETCHED_PERCENT)
        request = VideoRequest(
            source=str(source),
            folder=str(made),
            poster_s=job.arguments["posterS"],
            wall_s=self._wall_s(),
            limits=self._settings.media,
        )
        share = (_MADE_PERCENT - _FETCHED_PERCENT) / 100
        metadata = await run_task(
            VIDEO_TASK,
            msgspec.to_builtins(request),
            self._settings.task,
            lambda percent: work.progress(_FETCHED_PERCENT + share * percent),
        )
        work.progress(_MADE_PERCENT)
        media, lists = await asyncio.to_thread(made_files, made)
        await self._store(job.id, media, lists, work.progress)
        outputs = [JobOutput(what, made_key(job.id, name), kind) for what, name, kind in _OUTPUTS]
        return JobResult(metadata, outputs)

    async def _fetch(self, key: str, path: Path) -> None:
        most_bytes = self._settings.media.max_bytes
        stored = await self._objects.stat(key)
        if stored is not None and stored.size > most_bytes:
            raise JobRefused(
                "too_large", f"{stored.size} bytes; at most {most_bytes} bytes", "size"
            )
        size = await self._objects.get_file(key, path, most_bytes)
        if size is None:
            raise JobRefused("missing", "There is no such upload", "key")
        if size == 0:
            raise JobRefused("empty", "The upload is empty", "key")

    async def _store(
        self,
        job_id: UUID,
        media: Sequence[MadeFile],
        lists: Sequence[MadeFile],
        progress: Callable[[float], None],
    ) -> None:
        """Media a few at once, then what lists them: nobody finds a list without its media."""
        stored, everything = 0, len(media) + len(lists)
        free = asyncio.Semaphore(_STORED_AT_ONCE)

        async def put(file: MadeFile) -> None:
            nonlocal stored
            async with free:
                await self._objects.put_file(made_key(job_id, file.name), file.path, file.kind)
            stored += 1
            progress(_MADE_PERCENT + (100 - _MADE_PERCENT) * stored / everything)

        putting = [asyncio.create_task(put(file)) for file in media]
        try:
            await asyncio.gather(*putting)
        finally:
            for task in putting:
                task.cancel()
        for file in lists:
            await put(file)
