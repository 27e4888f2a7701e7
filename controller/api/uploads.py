"""Takes uploads into the local object store: PUT with a signed address, streamed to the disk."""

import asyncio
import errno
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Protocol

from aiohttp import web

from controller.api.registry import DocumentedRoute
from controller.domain.media import Upload
from controller.errors import (
    BadHttpRequest,
    FieldError,
    InvalidRequest,
    ObjectsUnavailable,
    StorageFull,
    UploadsBusy,
)
from ingest import ObjectKind, ObjectStore, ObjectStoreError

PATH = "/media/uploads/{key}"
_CHUNK_BYTES = 1 << 20
_IDLE_S = 30.0
_MOST_AT_ONCE = 32
_NOT_CACHED = "private, no-store"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class TicketReader(Protocol):
    """Reads signed addresses."""

    def read(self, key: str, content_type: str, size: str, expires: str, signature: str) -> Upload:
        """What the address allows; UploadTicketRefused."""
        ...


class UploadReceiver:
    """Receives one upload a request, beside the store first: what is cut off is never there.

    folder: on the store's file system, so that nothing is copied.
    """

    def __init__(self, tickets: TicketReader, objects: ObjectStore, folder: Path) -> None:
        self._tickets = tickets
        self._objects = objects
        self._folder = folder
        self._going_on = 0

    async def put(self, request: web.Request) -> web.Response:
        """PUT /media/uploads/{key}."""
        upload = self._allowed(request)
        if self._going_on >= _MOST_AT_ONCE:
            raise UploadsBusy
        self._going_on += 1
        try:
            async with self._file() as (path, file):
                await _receive(request, upload.size, file)
                await self._keep(upload, path)
        except OSError as error:
            raise (StorageFull if error.errno in _FULL else ObjectsUnavailable) from error
        finally:
            self._going_on -= 1
        return web.Response(headers={"Cache-Control": "no-store"})

    def _allowed(self, request: web.Request) -> Upload:
        query = request.query
        upload = self._tickets.read(
            request.match_info["key"],
            *(query.get(name, "") for name in ("type", "size", "expires", "signature")),
        )
        if request.content_type != upload.content_type:
            raise _wrong_header("Content-Type", f"must be {upload.content_type}")
        if request.content_length != upload.size:
            raise _wrong_header("Content-Length", f"must be {upload.size}")
        return upload

    @asynccontextmanager
    async def _file(self) -> AsyncIterator[tuple[Path, IO[bytes]]]:
        path = self._folder / secrets.token_hex(16)
        await asyncio.to_thread(self._folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        file = await asyncio.to_thread(path.open, "xb")
        try:
            yield path, file
        finally:
            await asyncio.to_thread(file.close)
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def _keep(self, upload: Upload, path: Path) -> None:
        kind = ObjectKind(upload.content_type, _NOT_CACHED)
        try:
            await self._objects.put_file(upload.key, path, kind)
        except ObjectStoreError as error:
            raise ObjectsUnavailable from error


async def _receive(request: web.Request, size: int, file: IO[bytes]) -> None:
    """The body into the file; a client that says nothing for a while has gone."""
    left = size
    while left:
        try:
            async with asyncio.timeout(_IDLE_S):
                chunk = await request.content.read(min(left, _CHUNK_BYTES))
        except TimeoutError:
            raise BadHttpRequest("The upload has stopped") from None
        if not chunk:
            raise BadHttpRequest("The upload was cut off")
        await asyncio.to_thread(file.write, chunk)
        left -= len(chunk)
    await asyncio.to_thread(_to_disk, file)


def _to_disk(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _wrong_header(name: str, reason: str) -> InvalidRequest:
    return InvalidRequest([FieldError("header", name, reason, "ticket")])


RECEIVE_UPLOAD = DocumentedRoute(
    method="PUT",
    path=PATH,
    operation={
        "operationId": "putUpload",
        "tags": ["Media"],
        "summary": "Upload into the local object store, to an address of createUpload",
        "description": "The address is signed: only what was announced, and only until it expires. "
        "With an S3 store the addresses are the store's own.",
        "security": [],
        "parameters": [
            {"name": "key", "in": "path", "required": True, "schema": {"type": "string"}},
            *(
                {"name": name, "in": "query", "required": True, "schema": {"type": "string"}}
                for name in ("type", "size", "expires", "signature")
            ),
        ],
        "requestBody": {
            "required": True,
            "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
        },
        "responses": {
            "200": {"description": "Stored"},
            "400": {"description": "The body was cut off"},
            "403": {"description": "The address was changed, or has expired"},
            "422": {"description": "Another length or type than was announced"},
            "503": {"description": "The object store is not available, or too many uploads"},
            "507": {"description": "The disk is full"},
        },
    },
)
