"""Clips: who may have them cut, from where to where, and who may see them."""

from collections.abc import Callable, Sequence
from uuid import UUID

from controller.domain.access import require_owner
from controller.domain.derived import (
    CUT_CLIP,
    Clip,
    ClipRange,
    ClipRules,
    ClipSource,
    DerivedStore,
    RecordingWork,
)
from controller.domain.jobs import JobDesk, JobState, NewJob
from controller.domain.people import Identity
from controller.domain.ports import Clock, StreamStore
from controller.domain.stream_service import StreamService
from controller.domain.streams import Stream
from controller.errors import ClipNotFound, FieldError, InvalidRequest, NothingToClip

_ROUNDING_S = 0.005
"""Who asks for the end that was shown to them means it, whatever was rounded."""


class ClipService:
    """Clips and the other media that are derived from a stream."""

    def __init__(
        self,
        streams: StreamStore,
        audience: StreamService,
        derived: DerivedStore,
        source: ClipSource,
        jobs: JobDesk,
        rules: ClipRules,
        clock: Clock,
        new_id: Callable[[], UUID],
    ) -> None:
        self._streams = streams
        self._audience = audience
        self._derived = derived
        self._source = source
        self._jobs = jobs
        self._rules = rules
        self._clock = clock
        self._new_id = new_id

    async def create(
        self, caller: Identity, stream_id: UUID, title: str, wanted: ClipRange, *, exact: bool
    ) -> Clip:
        """Have a clip cut; NotYourStream, NothingToClip, TooManyClips, ObjectsUnavailable, and
        InvalidRequest that names the field for a range that cannot be cut.
        """
        stream = await self._streams.get(stream_id)
        require_owner(stream, caller)
        available = await self._source.available(stream)
        if available is None:
            raise NothingToClip
        self._check(wanted, available, exact=exact)
        clip = Clip(
            id=self._new_id(),
            stream_id=stream_id,
            title=title,
            range=ClipRange(
                max(wanted.start_s, available.start_s), min(wanted.end_s, available.end_s)
            ),
            exact=exact,
            created_at=self._clock.now(),
        )
        await self._derived.add_clip(clip, self._rules)
        try:
            order = await self._source.stage(stream, clip.id, clip.range, exact=exact)
            job = await self._jobs.submit(
                NewJob(CUT_CLIP, str(clip.id), {"streamId": str(stream_id), **order}, None)
            )
        except BaseException:
            await self._derived.remove_clip(clip.id)
            raise
        await self._derived.assign_clip(clip.id, job.id)
        return clip

    async def list(self, caller: Identity | None, stream_id: UUID) -> tuple[Stream, Sequence[Clip]]:
        """The stream's clips, newest first; those that are not done are their owner's to see.

        StreamNotFound, NotInAudience.
        """
        stream = await self._visible(caller, stream_id)
        clips = await self._derived.clips(stream_id)
        return stream, [clip for clip in clips if _may_see(stream, clip, caller)]

    async def get(
        self, caller: Identity | None, stream_id: UUID, clip_id: UUID
    ) -> tuple[Stream, Clip]:
        """One of them; ClipNotFound, StreamNotFound, NotInAudience."""
        stream = await self._visible(caller, stream_id)
        clip = await self._derived.clip(stream_id, clip_id)
        if not _may_see(stream, clip, caller):
            raise ClipNotFound
        return stream, clip

    async def media(
        self, caller: Identity | None, stream_id: UUID
    ) -> tuple[Stream, RecordingWork | None]:
        """How far the stream's derived media are; StreamNotFound, NotInAudience."""
        work = await self._derived.recording(stream_id)
        # Afterwards: a stream of which the work is done has the addresses of what it made.
        return await self._visible(caller, stream_id), work

    async def available(self, caller: Identity | None, stream: Stream) -> ClipRange | None:
        """What its owner can cut clips from now; None for others. ObjectsUnavailable."""
        if caller is None or stream.owner_id != caller.user_id:
            return None
        return await self._source.available(stream)

    async def _visible(self, caller: Identity | None, stream_id: UUID) -> Stream:
        stream = await self._streams.get(stream_id)
        await self._audience.require_audience(stream, caller)
        return stream

    def _check(self, wanted: ClipRange, available: ClipRange, *, exact: bool) -> None:
        """Raise InvalidRequest unless the range is sound, within limits, and there."""
        rules = self._rules
        longest_s = rules.longest_exact_s if exact else rules.longest_s
        if wanted.start_s < available.start_s - _ROUNDING_S:
            refused = ("start", f"must be at least {available.start_s:.3f}: earlier is gone")
        elif wanted.start_s >= available.end_s:
            refused = ("start", f"must be before {available.end_s:.3f}, where the media end")
        elif wanted.end_s <= wanted.start_s:
            refused = ("end", "must be after start")
        elif wanted.duration_s < rules.shortest_s:
            refused = ("end", f"must be at least {rules.shortest_s:g} s after start")
        elif wanted.duration_s > longest_s + _ROUNDING_S:
            of_what = "an exact clip" if exact else "a clip"
            refused = ("end", f"must be at most {longest_s:g} s after start, for {of_what}")
        elif wanted.end_s > available.end_s + _ROUNDING_S:
            refused = ("end", f"must be at most {available.end_s:.3f}, where the media end")
        else:
            return
        raise InvalidRequest([FieldError("body", *refused, "clip_range")])


def _may_see(stream: Stream, clip: Clip, caller: Identity | None) -> bool:
    if clip.state is JobState.DONE:
        return True
    return caller is not None and (caller.user_id == stream.owner_id or caller.is_admin)
