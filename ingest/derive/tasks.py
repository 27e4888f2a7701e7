"""What is derived from recordings, as media tasks: each runs in a process of its own.

libav on a stranger's bytes; requests are in `ingest.derive.requests`.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ingest.derive.clip import cut_at_chunks
from ingest.derive.exact_clip import cut_at_frames
from ingest.derive.jpeg import encode_jpeg, fitted, scaled
from ingest.derive.keyframes import Picture, decode_keyframe, first_keyframe, first_picture
from ingest.derive.mp4 import write_mp4
from ingest.derive.pictures import write_pictures
from ingest.derive.requests import (
    Clip,
    ClipRequest,
    LivePicture,
    PicturesRequest,
    RecordingRequest,
    ThumbnailsRequest,
)
from ingest.errors import MalformedMedia, MediaRefused

_THUMBNAIL_PX = 640

Report = Callable[[float], None]
RequestT = TypeVar("RequestT", bound=msgspec.Struct)


def make_mp4(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Answers an `Mp4`."""
    asked = _read(request, RecordingRequest)
    out = Path(asked.out)
    return _answered(
        lambda: write_mp4(asked.recording, asked.files, out, progress=_percent(report))
    )


def make_pictures(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Answers `Pictures`."""
    asked = _read(request, PicturesRequest)
    out = Path(asked.out)
    return _answered(
        lambda: write_pictures(asked.recording, asked.files, out, asked.rules, _percent(report))
    )


def cut_clip(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Answers a `Clip`, and whether there is a poster of it."""
    asked = _read(request, ClipRequest)
    out, scratch = Path(asked.out), Path(asked.scratch)

    def cut() -> Clip:
        if asked.exact:
            return cut_at_frames(
                asked.recording, asked.files, asked.span, scratch, out, _percent(report)
            )
        return cut_at_chunks(asked.recording, asked.files, asked.span, out, _percent(report))

    answer = _answered(cut)
    picture = first_picture(out)
    if picture is not None:
        _write_jpeg(picture, Path(asked.poster))
    return {"clip": answer, "poster": picture is not None}


def make_thumbnails(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Answers the indices of the pictures that could be `made`."""
    asked = _read(request, ThumbnailsRequest)
    made = []
    for index, wanted in enumerate(asked.pictures):
        picture = _live_picture(wanted)
        if picture is not None:
            _write_jpeg(picture, Path(wanted.out))
            made.append(index)
        report(100.0 * (index + 1) / len(asked.pictures))
    return {"made": made}


def _live_picture(wanted: LivePicture) -> Picture | None:
    try:
        sample = first_keyframe(Path(wanted.media))
        return decode_keyframe(Path(wanted.init).read_bytes(), sample) if sample else None
    except (OSError, MalformedMedia):  # it left the window meanwhile
        return None


def _write_jpeg(picture: Picture, out: Path) -> None:
    """Whole or not at all: it may be there already, and be read."""
    size = fitted(picture.width, picture.height, _THUMBNAIL_PX, _THUMBNAIL_PX)
    temporary = out.with_name(f".{out.name}")
    temporary.write_bytes(encode_jpeg(scaled(picture.frame, *size)))
    os.replace(temporary, out)


def _read(request: dict[str, Any], kind: type[RequestT]) -> RequestT:
    return msgspec.convert(request, kind)


def _answered(work: Callable[[], object]) -> dict[str, Any]:
    """The work's answer as JSON; media that cannot be read are refused, not tried again."""
    try:
        answer: dict[str, Any] = msgspec.to_builtins(work())
    except MalformedMedia as error:
        raise MediaRefused("not_readable", "", str(error)) from error
    return answer


def _percent(report: Report) -> Report:
    return lambda share: report(100.0 * share)
