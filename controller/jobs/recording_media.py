"""Makes MP4, poster and storyboard of a recording, and tells the stream where they are."""

import asyncio
import shutil
from collections.abc import Callable
from uuid import UUID

from controller.domain.derived import (
    DERIVE_RECORDING,
    DerivedStore,
    DerivedUrls,
    Mp4File,
    RecordingOutcome,
)
from controller.domain.jobs import Job, JobError, JobOutput, JobResult
from controller.jobs.kinds import JobWork
from ingest import MediaRefused
from ingest.derivatives import (
    DerivedMedia,
    Fetched,
    mp4_key,
    poster_key,
    storyboard_key,
    vod_folder,
)

_FETCHED_PERCENT = 30.0
_PICTURES_PERCENT = 50.0
_MADE_PERCENT = 99.0


class RecordingDerivation:
    """Implements JobKind. A recording that cannot be one MP4 still has its pictures."""

    name = DERIVE_RECORDING
    attempts = 12

    def __init__(
        self, media: DerivedMedia, derived: DerivedStore, url_of: Callable[[str], str]
    ) -> None:
        self._media = media
        self._derived = derived
        self._url_of = url_of

    async def run(self, job: Job, work: JobWork) -> JobResult:
        """See `JobKind.run`. The subject is the stream's id."""
        prefix = vod_folder(job.subject)
        source = work.folder / "source"
        await asyncio.to_thread(source.mkdir)
        fetched = await self._media.fetch(prefix, source, _share(work, 0.0, _FETCHED_PERCENT))
        pictures = await self._media.make_pictures(
            prefix,
            fetched,
            work.folder / "pictures",
            _share(work, _FETCHED_PERCENT, _PICTURES_PERCENT),
        )
        mp4, error = await self._make_mp4(prefix, fetched, work)
        await asyncio.to_thread(shutil.rmtree, source, ignore_errors=True)
        outcome = RecordingOutcome(
            mp4=mp4,
            mp4_error=error,
            poster=pictures.poster,
            sheets=len(pictures.sheets),
            interval_s=pictures.interval_s,
        )
        outputs = _outputs(prefix, outcome)
        urls = {output.name: self._url_of(output.key) for output in outputs}
        await self._derived.finish_recording(
            UUID(job.subject),
            outcome,
            DerivedUrls(urls.get("mp4"), urls.get("poster"), urls.get("storyboard")),
        )
        return JobResult({}, outputs)

    async def _make_mp4(
        self, prefix: str, fetched: Fetched, work: JobWork
    ) -> tuple[Mp4File | None, JobError | None]:
        progress = _share(work, _PICTURES_PERCENT, _MADE_PERCENT)
        try:
            mp4 = await self._media.make_mp4(prefix, fetched, work.folder / "whole.mp4", progress)
        except MediaRefused as refused:
            return None, JobError(refused.reason, str(refused), refused.field)
        return Mp4File(mp4.size, mp4.duration_s, mp4.width, mp4.height), None


def _outputs(prefix: str, outcome: RecordingOutcome) -> list[JobOutput]:
    made = []
    if outcome.mp4 is not None:
        made.append(JobOutput("mp4", mp4_key(prefix), "video/mp4"))
    if outcome.poster is not None:
        made.append(JobOutput("poster", poster_key(prefix), "image/jpeg"))
    if outcome.sheets:
        made.append(JobOutput("storyboard", storyboard_key(prefix), "text/vtt"))
    return made


def _share(work: JobWork, start: float, end: float) -> Callable[[float], None]:
    """A part's percent as those of the whole."""
    return lambda percent: work.progress(start + (end - start) * percent / 100)
