"""Cuts clips."""

import asyncio
import shutil
from pathlib import Path
from uuid import UUID

import msgspec

from controller.domain.derived import CUT_CLIP, ClipRange, CutClip, DerivedStore, Mp4File
from controller.domain.jobs import Job, JobOutput, JobResult
from controller.jobs.kinds import JobWork
from ingest import IngestError
from ingest.derivatives import ClipOrder, DerivedMedia, Recording, Span, clip_key


class ClipCutting:
    """Implements JobKind. Arguments: what `ClipSource.stage` said."""

    name = CUT_CLIP
    attempts = 6

    def __init__(self, media: DerivedMedia, derived: DerivedStore) -> None:
        self._media = media
        self._derived = derived

    async def run(self, job: Job, work: JobWork) -> JobResult:
        """See `JobKind.run`. The subject is the clip's id."""
        asked = job.arguments
        staged, prefix = Path(asked["staged"]), asked["prefix"]
        order = ClipOrder(
            clip_id=job.subject,
            recording=msgspec.convert(asked["recording"], Recording),
            span=msgspec.convert(asked["span"], Span),
            exact=asked["exact"],
            staged=staged,
        )
        try:
            made = await self._media.make_clip(prefix, order, work.folder, work.progress)
        except IngestError as error:
            if not error.retryable or job.attempts >= self.attempts:
                await _forget(staged)
            raise
        span, mp4 = made.clip.span, made.clip.mp4
        file = Mp4File(mp4.size, mp4.duration_s, mp4.width, mp4.height)
        cut = CutClip(ClipRange(span.start_s, span.end_s), file, made.has_poster)
        await self._derived.finish_clip(UUID(job.subject), cut)
        await _forget(staged)
        return JobResult({}, [JobOutput("clip", clip_key(prefix, job.subject), "video/mp4")])


async def _forget(staged: Path) -> None:
    await asyncio.to_thread(shutil.rmtree, staged, ignore_errors=True)
