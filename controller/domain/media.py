"""Uploads and what is made of them: keys, allowed types, tickets."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol
from uuid import UUID

PROCESS_VIDEO = "process_video"
"""The kind of job that makes a ladder of an uploaded video."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_MOST_NAME_CHARACTERS = 80
_UPLOADS = "uploads"
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
UPLOAD_KEY_PATTERN = rf"^{_UPLOADS}/{_UUID}/{_UUID}/[A-Za-z0-9_-][A-Za-z0-9._-]*$"


class MediaFamily(StrEnum):
    """What kind of medium an upload is said to be."""

    IMAGE = "image"
    VIDEO = "video"


ALLOWED_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "image/jpeg": "jpg",
        "image/png": "png",
        "image/webp": "webp",
        "image/gif": "gif",
        "image/avif": "avif",
        "image/heic": "heic",
        "video/mp4": "mp4",
        "video/quicktime": "mov",
        "video/webm": "webm",
        "video/x-matroska": "mkv",
        "video/x-msvideo": "avi",
        "video/mpeg": "mpg",
        "video/mp2t": "ts",
        "video/3gpp": "3gp",
    }
)
"""Media types that may be uploaded, and the extension that goes with each."""


@dataclass(frozen=True, slots=True)
class UploadRules:
    """How much may be uploaded, and for how long a ticket is good."""

    max_image_bytes: int
    max_video_bytes: int
    ticket_ttl_s: int

    def max_bytes(self, family: MediaFamily) -> int:
        """The largest upload of a family."""
        return self.max_image_bytes if family is MediaFamily.IMAGE else self.max_video_bytes


@dataclass(frozen=True, slots=True)
class Upload:
    """An object that may be put: exactly `size` bytes, said to be of `content_type`."""

    key: str
    content_type: str
    size: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class UploadTicket:
    """One PUT to `url`, with these headers. The URL is as good as a password until it expires."""

    upload: Upload
    url: str = field(repr=False)
    headers: Mapping[str, str]


class UploadTickets(Protocol):
    """Signs what may be put where."""

    def issue(self, upload: Upload) -> UploadTicket:
        """A ticket for the upload, good until it expires."""
        ...


class UploadedObjects(Protocol):
    """What has been uploaded."""

    async def size(self, key: str) -> int | None:
        """Bytes under the key; None when nothing is there. ObjectsUnavailable."""
        ...


def family_of(content_type: str) -> MediaFamily:
    """The family of an allowed media type."""
    return MediaFamily(content_type.partition("/")[0])


def upload_key(user_id: UUID, upload_id: UUID, filename: str, content_type: str) -> str:
    """Where an upload goes: the user's folder, a folder of its own, a name that is safe anywhere.

    The extension is the media type's, whatever the file was called.
    """
    stem = filename.rpartition(".")[0] or filename
    safe = _UNSAFE.sub("-", stem).strip("-.")[:_MOST_NAME_CHARACTERS] or "file"
    return f"{_UPLOADS}/{user_id}/{upload_id}/{safe}.{ALLOWED_TYPES[content_type]}"


def uploader_of(key: str) -> UUID:
    """Whose upload a key names; the key matches UPLOAD_KEY_PATTERN."""
    return UUID(key.split("/", 2)[1])


def made_key(job_id: UUID, name: str) -> str:
    """Where what a job made goes; `name` is relative."""
    return f"media/{job_id}/{name}"
