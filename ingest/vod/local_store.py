"""The object store of the embedded default: a local folder that nginx serves."""

import asyncio
import errno
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from ingest.errors import ObjectStoreError


class LocalObjectStore:
    """Objects as files below `root`. A file on the same file system is linked, not copied."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put_file(self, key: str, path: Path, content_type: str) -> None:
        """Store the file at `path` under `key`; the content type is nginx's to tell."""
        del content_type
        await self._place(key, lambda temporary: _link_or_copy(path, temporary))

    async def put_bytes(self, key: str, data: bytes, content_type: str) -> None:
        """Store `data` under `key`."""
        del content_type
        await self._place(key, lambda temporary: temporary.write_bytes(data))

    async def size(self, key: str) -> int | None:
        """Bytes of the object, None when there is none."""
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError:
            return None

    async def _place(self, key: str, make: Callable[[Path], object]) -> None:
        """Make the object beside its place, then rename it there."""
        target = self._path(key)

        def place() -> None:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
            try:
                make(temporary)
                # rename(2) does nothing between two links to one file, so the name stays over
                os.replace(temporary, target)
            finally:
                temporary.unlink(missing_ok=True)

        try:
            await asyncio.to_thread(place)
        except OSError as error:
            raise ObjectStoreError(f"{key} could not be stored: {error.strerror}") from error

    def _path(self, key: str) -> Path:
        path = (self._root / key).resolve()
        if not path.is_relative_to(self._root.resolve()):
            raise ObjectStoreError(f"{key!r} leaves the store")
        return path


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP}:
            raise
        shutil.copyfile(source, target)
