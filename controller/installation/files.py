"""Writes an installation's files: again and again with the same end, and never over an edit.

A manifest remembers what was written. A file that is no longer what was written was edited: it
stays, and what would have been written is put beside it as `….new`.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from controller.installation.errors import InstallationError
from controller.installation.places import CONFIG, MANIFEST, Root
from controller.installation.rendering import InstalledFile


class Change(StrEnum):
    """What became of a file."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    KEPT = "kept, because it was edited"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Changed:
    """One file, `path` as the installed system names it."""

    path: Path
    change: Change

    @property
    def matters(self) -> bool:
        """Whether the system is another one now."""
        return self.change in {Change.CREATED, Change.UPDATED, Change.REMOVED}


@dataclass(slots=True)
class Manifest:
    """What was written: digests by path, and the release that was installed."""

    release: str = ""
    digests: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Root) -> "Manifest":
        """An empty one when nothing is installed."""
        path = root.of(MANIFEST)
        try:
            found = json.loads(path.read_text("utf-8"))
            return cls(str(found["release"]), dict(found["digests"]))
        except FileNotFoundError:
            return cls()
        except (ValueError, KeyError, TypeError) as error:
            raise InstallationError(
                f"{path} is damaged ({type(error).__name__}): remove it and install again"
            ) from error

    def write(self, root: Root) -> None:
        """Keep it for the next time."""
        text = json.dumps({"release": self.release, "digests": self.digests}, indent=1)
        write_whole(root.of(MANIFEST), text + "\n", 0o644)


class Files:
    """The files below one root, under one manifest."""

    def __init__(self, root: Root, manifest: Manifest) -> None:
        self._root = root
        self._manifest = manifest

    def put(self, file: InstalledFile) -> Changed:
        """Write one file unless it is there, or was edited."""
        at, wanted = self._root.of(file.path), _digest(file.text)
        written = self._manifest.digests.get(str(file.path))
        there = _digest_of(at)
        if there == wanted and (at.stat().st_mode & 0o777) == file.mode:
            change = Change.UNCHANGED
        elif there is not None and there not in {written, wanted}:
            if file.path != CONFIG:  # a settings file is there to be edited
                self._put_beside(at, file)
            return Changed(file.path, Change.KEPT)
        else:
            change = Change.CREATED if there is None else Change.UPDATED
            write_whole(at, file.text, file.mode)
        self._manifest.digests[str(file.path)] = wanted
        return Changed(file.path, change)

    def remove(self, keep: Sequence[Path]) -> list[Changed]:
        """Remove what was written and not edited since, but for `keep`."""
        changes = []
        for name, written in sorted(self._manifest.digests.items()):
            path, at = Path(name), self._root.of(Path(name))
            if path in keep or not at.exists():
                continue
            if _digest_of(at) != written:
                changes.append(Changed(path, Change.KEPT))
                continue
            at.unlink()
            at.with_name(f"{at.name}.new").unlink(missing_ok=True)
            changes.append(Changed(path, Change.REMOVED))
            del self._manifest.digests[name]
        return changes

    def _put_beside(self, at: Path, file: InstalledFile) -> None:
        beside = at.with_name(f"{at.name}.new")
        if _digest_of(beside) != _digest(file.text):
            write_whole(beside, file.text, file.mode)


def write_whole(path: Path, text: str, mode: int) -> None:
    """Write whole or not at all; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        os.fchmod(file.fileno(), mode)
    partial.replace(path)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _digest_of(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None
