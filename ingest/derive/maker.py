"""Makes what is derived from a recording, and stores it beside it.

    {prefix}.mp4                                 the whole recording
    {prefix}/poster.jpg, storyboard.vtt, storyboard-….jpg
    {prefix}/clips/{clip}.mp4, .jpg

Files are fetched from the store into a scratch folder, or were staged there; media are touched in
processes of their own only.
"""

import asyncio
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ingest.derive.cut import Span
from ingest.derive.recording import Recording, recording_from_playlists
from ingest.derive.requests import (
    POSTER_NAME,
    STORYBOARD_NAME,
    TASKS,
    Clip,
    ClipRequest,
    Mp4,
    Pictures,
    PicturesRequest,
    RecordingRequest,
    StoryboardRules,
)
from ingest.errors import FilesMissing
from ingest.media import MediaKind
from ingest.ports import ObjectKind, ObjectStore
from ingest.tasks.process import TaskLimits, run_task

Progress = Callable[[float], None]

_AT_ONCE = 4
_MOST_FILE_BYTES = 1 << 30
_MOST_PLAYLIST_BYTES = 64 << 20
_FOR_EVER = "public, max-age=31536000, immutable"
MP4_KIND = ObjectKind("video/mp4", _FOR_EVER)
JPEG_KIND = ObjectKind("image/jpeg", _FOR_EVER)
WEBVTT_KIND = ObjectKind("text/vtt", _FOR_EVER)

_COPY_LIMITS = TaskLimits(time_s=3 * 3600.0, memory_bytes=2 << 30, file_bytes=1 << 40)
_PICTURE_LIMITS = TaskLimits(time_s=3600.0, memory_bytes=2 << 30, file_bytes=64 << 20)
_CLIP_LIMITS = TaskLimits(time_s=900.0, memory_bytes=3 << 30, file_bytes=16 << 30)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A recording whose files are in `folder`."""

    recording: Recording
    folder: Path


@dataclass(frozen=True, slots=True)
class ClipOrder:
    """A clip to be made: of which pieces, from where to where, at the very frame or by copy.

    `staged`: a folder that may have the files; None when the store has them all.
    """

    clip_id: str
    recording: Recording
    span: Span
    exact: bool
    staged: Path | None = None


@dataclass(frozen=True, slots=True)
class ClipMade:
    """A clip that is on the store; `has_poster`: so is a picture of it."""

    clip: Clip
    has_poster: bool


def mp4_key(prefix: str) -> str:
    """Key of a recording's MP4; `prefix` is that of the recording's folder."""
    return f"{prefix}.mp4"


def poster_key(prefix: str) -> str:
    """Key of a recording's poster."""
    return f"{prefix}/{POSTER_NAME}"


def storyboard_key(prefix: str) -> str:
    """Key of a recording's storyboard, a WebVTT file beside its sheets."""
    return f"{prefix}/{STORYBOARD_NAME}"


def clip_key(prefix: str, clip_id: str, suffix: str = "mp4") -> str:
    """Key of a clip, or with the suffix `jpg` of its picture."""
    return f"{prefix}/clips/{clip_id}.{suffix}"


class DerivedMedia:
    """Makes derived media of the recordings on one store.

    Every call raises ObjectStoreError, FilesMissing when the store does not have what the
    recording names, and what `run_task` raises.
    """

    def __init__(self, store: ObjectStore, rules: StoryboardRules | None = None) -> None:
        self._store = store
        self._rules = rules or StoryboardRules()

    async def look_up(self, prefix: str, folder: Path) -> Recording:
        """What the playlists of a published recording tell; they are fetched into `folder`."""
        playlists = {}
        for kind in MediaKind:
            path = folder / f"{kind.value}.m3u8"
            key = f"{prefix}/{kind.value}.m3u8"
            if await self._store.get_file(key, path, _MOST_PLAYLIST_BYTES) is not None:
                playlists[kind] = await asyncio.to_thread(path.read_text, "utf-8")
                path.unlink()
        if not playlists:
            raise FilesMissing("the store has no playlists of the recording")
        return await asyncio.to_thread(recording_from_playlists, playlists)

    async def fetch(self, prefix: str, folder: Path, progress: Progress) -> Fetched:
        """A published recording with all its files; `progress` hears percent."""
        recording = await self.look_up(prefix, folder)
        await self._fetch(prefix, recording.files(), folder, progress)
        return Fetched(recording, folder)

    async def make_pictures(
        self, prefix: str, fetched: Fetched, scratch: Path, progress: Progress
    ) -> Pictures:
        """Poster, storyboard and its sheets, the storyboard last."""
        await asyncio.to_thread(scratch.mkdir)
        request = PicturesRequest(
            recording=fetched.recording,
            folder=str(fetched.folder),
            out=str(scratch),
            rules=self._rules,
        )
        answer = await _run("make_pictures", request, _PICTURE_LIMITS, progress)
        pictures = msgspec.convert(answer, Pictures)
        for name in pictures.sheets:
            await self._store.put_file(f"{prefix}/{name}", scratch / name, JPEG_KIND)
        if pictures.poster is not None:
            await self._store.put_file(poster_key(prefix), scratch / POSTER_NAME, JPEG_KIND)
        if pictures.sheets:
            path = scratch / STORYBOARD_NAME
            await self._store.put_file(storyboard_key(prefix), path, WEBVTT_KIND)
        return pictures

    async def make_mp4(self, prefix: str, fetched: Fetched, out: Path, progress: Progress) -> Mp4:
        """The whole recording in one file, which is written to `out` and stored."""
        request = RecordingRequest(
            recording=fetched.recording, folder=str(fetched.folder), out=str(out)
        )
        answer = await _run("make_mp4", request, _COPY_LIMITS, progress)
        await self._store.put_file(mp4_key(prefix), out, MP4_KIND)
        return msgspec.convert(answer, Mp4)

    async def make_clip(
        self, prefix: str, order: ClipOrder, folder: Path, progress: Progress
    ) -> ClipMade:
        """Cut and store a clip; `folder` is empty, and the caller's to remove."""
        media, scratch = folder / "media", folder / "scratch"
        await asyncio.to_thread(scratch.mkdir)
        names = await asyncio.to_thread(_take_staged, order, media)
        await self._fetch(prefix, names, media, lambda percent: progress(percent * 0.3))
        out, poster = folder / "clip.mp4", folder / "clip.jpg"
        request = ClipRequest(
            recording=order.recording,
            folder=str(media),
            out=str(out),
            span=order.span,
            exact=order.exact,
            poster=str(poster),
            scratch=str(scratch),
        )
        answer = await _run(
            "cut_clip", request, _CLIP_LIMITS, lambda percent: progress(30 + percent * 0.6)
        )
        made = ClipMade(msgspec.convert(answer["clip"], Clip), bool(answer["poster"]))
        if made.has_poster:
            await self._store.put_file(clip_key(prefix, order.clip_id, "jpg"), poster, JPEG_KIND)
        await self._store.put_file(clip_key(prefix, order.clip_id), out, MP4_KIND)
        return made

    async def _fetch(
        self, prefix: str, names: Iterable[str], folder: Path, progress: Progress
    ) -> None:
        """Fetch files of the recording's folder, a few at a time."""
        waiting = [*names]
        count, done = len(waiting), 0
        waiting.reverse()

        async def work() -> None:
            nonlocal done
            while waiting:
                name = waiting.pop()
                path = folder / name
                await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
                if await self._store.get_file(f"{prefix}/{name}", path, _MOST_FILE_BYTES) is None:
                    raise FilesMissing(f"the store does not have {name} of the recording")
                done += 1
                progress(100.0 * done / count)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(_AT_ONCE, count)):
                    group.create_task(work())
        except ExceptionGroup as several:
            raise several.exceptions[0] from None


def stage(recording: Recording, live_folder: Path, folder: Path) -> None:
    """Link the recording's files that are in the live folder into `folder`, where they stay when
    they leave the live window. Raises OSError."""
    for name in recording.files():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(live_folder / name)
        except FileNotFoundError:
            continue  # it has left the window: the store has it


def _take_staged(order: ClipOrder, media: Path) -> list[str]:
    """Link what was staged into `media`; answers what was not."""
    missing = []
    for name in order.recording.files():
        target = media / name
        target.parent.mkdir(parents=True, exist_ok=True)
        staged = order.staged / name if order.staged is not None else None
        if staged is not None and staged.exists():
            _link_or_copy(staged, target)
        else:
            missing.append(name)
    return missing


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


async def _run(
    task: str, request: msgspec.Struct, limits: TaskLimits, progress: Progress
) -> dict[str, Any]:
    return await run_task(f"{TASKS}:{task}", msgspec.to_builtins(request), limits, progress)
