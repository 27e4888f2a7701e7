"""Where clips are cut from: what is live here, or the recording on the store."""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import msgspec

from controller.domain.derived import ClipRange
from controller.domain.streams import Stream
from controller.errors import NothingToClip, ObjectsUnavailable
from ingest import IngestError, SessionSupervisor
from ingest.derivatives import DerivedMedia, Recording, Span, stage, vod_folder

_LONGEST_GOP_S = 30.0
"""How far before a clip's start its keyframe may lie, and behind its end what is shown before."""


class StreamClipSource:
    """The domain's ClipSource over the live streams of this daemon and the object store.

    staging: a folder for files that a clip needs and that may leave meanwhile, one for each clip;
    its job removes it. A worker that does not share this folder takes them from the store.
    """

    def __init__(self, supervisor: SessionSupervisor, derived: DerivedMedia, staging: Path) -> None:
        self._supervisor = supervisor
        self._derived = derived
        self._staging = staging

    async def available(self, stream: Stream) -> ClipRange | None:
        """See `ClipSource.available`."""
        recording = await self._recording(stream)
        if recording is None or recording.end_s <= max(0.0, recording.start_s):
            return None
        return ClipRange(max(0.0, recording.start_s), recording.end_s)

    async def stage(
        self, stream: Stream, clip_id: UUID, wanted: ClipRange, *, exact: bool
    ) -> Mapping[str, Any]:
        """See `ClipSource.stage`."""
        recording = await self._recording(stream)
        if recording is None:
            raise NothingToClip
        needed = recording.between(wanted.start_s - _LONGEST_GOP_S, wanted.end_s + 1.0)
        folder = self._staging / str(clip_id)
        live = self._supervisor.folder(str(stream.id))
        try:
            await asyncio.to_thread(stage, needed, live, folder)
        except OSError as error:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            raise ObjectsUnavailable from error
        return {
            "recording": msgspec.to_builtins(needed),
            "span": msgspec.to_builtins(Span(wanted.start_s, wanted.end_s)),
            "exact": exact,
            "prefix": vod_folder(str(stream.id)),
            "staged": str(folder),
        }

    async def _recording(self, stream: Stream) -> Recording | None:
        """What is live here, with the segment that grows; else what the store's playlists tell."""
        live = self._supervisor.recording(str(stream.id))
        if live is not None and live.tracks:
            return live
        if stream.vod_url is None:
            return None
        try:
            with TemporaryDirectory(prefix="golive-clip-") as folder:
                return await self._derived.look_up(vod_folder(str(stream.id)), Path(folder))
        except IngestError as error:
            raise ObjectsUnavailable from error
