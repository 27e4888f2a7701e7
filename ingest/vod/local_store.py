"""The object store of the embedded default: a local folder that nginx serves."""

import asyncio
import errno
import filecmp
import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from ingest.errors import ObjectStoreError, ObjectStoreRefused
from ingest.ports import ObjectKind, StoredObject

T = TypeVar("T")


class LocalObjectStore:
    """Objects as files below `root`. A file on the same file system is linked, not copied."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put_file(self, key: str, path: Path, kind: ObjectKind) -> StoredObject:
        """Store the file at `path` under `key`; its kind is nginx's to tell."""
        del kind
        return await self._place(key, lambda temporary: _link_or_copy(path, temporary))

    async def put_bytes(self, key: str, data: bytes, kind: ObjectKind) -> StoredObject:
        """Store `data` under `key`."""
        del kind
        return await self._place(key, lambda temporary: temporary.write_bytes(data))

    async def get_file(self, key: str, path: Path, most_bytes: int) -> int | None:
        """Link or copy the object to `path`."""
        stored = self._path(key)

        def get() -> int | None:
            try:
                size = stored.stat().st_size
                _refuse_larger(key, size, most_bytes)
                path.unlink(missing_ok=True)
                _link_or_copy(stored, path)
            except FileNotFoundError:
                return None
            return size

        return await self._in_thread(key, get)

    async def stat(self, key: str) -> StoredObject | None:
        """The object's size; None when there is none. No MD5 is kept."""
        try:
            return StoredObject(self._path(key).stat().st_size, "")
        except FileNotFoundError:
            return None

    async def holds(self, key: str, path: Path) -> bool:
        """Whether the object is that file, or has its content."""
        stored = self._path(key)

        def compare() -> bool:
            try:
                return stored.samefile(path) or filecmp.cmp(stored, path, shallow=False)
            except FileNotFoundError:
                return False

        return await self._in_thread(key, compare)

    async def keys(self, prefix: str) -> Sequence[str]:
        """The keys of all objects that begin with `prefix`, files in the making left out."""
        start = self._path(prefix)

        def find() -> list[str]:
            if not start.parent.is_dir():
                return []
            found: list[Path] = []
            for path in start.parent.iterdir():
                if path.name.startswith(start.name):
                    found += path.rglob("*") if path.is_dir() else [path]
            named = (path for path in found if path.is_file() and path.name[0] != ".")
            return sorted(str(path.relative_to(self._root.resolve())) for path in named)

        return await self._in_thread(prefix, find)

    async def delete(self, key: str) -> None:
        """Remove the object, and folders that it leaves empty."""
        path, root = self._path(key), self._root.resolve()

        def delete() -> None:
            path.unlink(missing_ok=True)
            for folder in path.parents:
                if folder.parent in {root, root.parent}:
                    return
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    continue  # another object's removal was faster
                except OSError:
                    return  # there is something in it

        await self._in_thread(key, delete)

    async def check(self) -> None:
        """Raise unless the folder is there, or can be made, and takes files."""

        def check() -> None:
            self._root.mkdir(parents=True, exist_ok=True)
            if not os.access(self._root, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        await self._in_thread("the folder", check)

    async def _place(self, key: str, make: Callable[[Path], object]) -> StoredObject:
        """Make the object beside its place, then rename it there."""
        target = self._path(key)

        def place() -> StoredObject:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
            try:
                make(temporary)
                size = temporary.stat().st_size
                # rename(2) does nothing between two links to one file, so the name stays over
                os.replace(temporary, target)
            finally:
                temporary.unlink(missing_ok=True)
            return StoredObject(size, "")

        return await self._in_thread(key, place)

    async def _in_thread(self, key: str, function: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(function)
        except OSError as error:
            raise ObjectStoreError(
                f"{key} could not be stored or read: {error.strerror}"
            ) from error

    def _path(self, key: str) -> Path:
        path = (self._root / key).resolve()
        if not path.is_relative_to(self._root.resolve()):
            raise ObjectStoreRefused(f"{key!r} leaves the store")
        return path


def _refuse_larger(key: str, size: int, most_bytes: int) -> None:
    if size > most_bytes:
        raise ObjectStoreRefused(f"{key} has {size} bytes, more than {most_bytes}")


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP}:
            raise
        shutil.copyfile(source, target)
