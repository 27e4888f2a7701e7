"""Space, inodes and rights where golive writes."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from controller.checking.findings import Finding, fail, ok, warn
from controller.publishing.space import SpaceMarks, SpaceStep

SUBJECT = "disk"
_FEW_INODES, _NO_INODES = 0.10, 0.03


class DiskCheck:
    """folders: by name; percents: GOLIVE_SPACE_STEPS_PCT."""

    def __init__(self, folders: Mapping[str, Path], percents: Sequence[float]) -> None:
        self._folders = folders
        self._percents = tuple(percents)

    async def run(self) -> Sequence[Finding]:
        """A finding for each folder that is short of something, or one that all is well."""
        found = [f for name, path in self._folders.items() for f in self._folder(name, path)]
        return found or [ok(SUBJECT, f"space for {', '.join(self._folders)}")]

    def _folder(self, name: str, path: Path) -> Iterator[Finding]:
        there = path
        while not there.exists() and there != there.parent:
            there = there.parent
        if not os.access(there, os.W_OK | os.X_OK):
            yield fail(
                SUBJECT,
                f"{there} ({name}) cannot be written",
                f"Give it to the user that golive runs as: `chown golive: {there}`.",
            )
            return
        try:
            volume = os.statvfs(there)
        except OSError as error:
            yield fail(SUBJECT, f"{there} ({name}): {error.strerror}", "Mount its volume.")
            return
        yield from self._space(name, there, volume)
        yield from _inodes(name, there, volume)

    def _space(self, name: str, path: Path, volume: os.statvfs_result) -> Iterator[Finding]:
        total, free = volume.f_blocks * volume.f_frsize, volume.f_bavail * volume.f_frsize
        step = SpaceMarks.of(self._percents, total).step(free, SpaceStep.NONE)
        if step is SpaceStep.NONE:
            return
        what = {
            SpaceStep.PRUNE: "old media are given up",
            SpaceStep.NO_RECORDINGS: "new streams are not recorded",
            SpaceStep.NO_PUBLISHERS: "new encoders are refused",
            SpaceStep.LIVE_ONLY: "running recordings pause",
        }[step]
        tell = warn if step is SpaceStep.PRUNE else fail
        yield tell(
            SUBJECT,
            f"{path} ({name}) has {free / 1e9:.1f} GB free of {total / 1e9:.1f}, so that {what}",
            "Free space, use a larger volume, or bound recordings with GOLIVE_RECORDINGS_MAX_GB.",
        )


def _inodes(name: str, path: Path, volume: os.statvfs_result) -> Iterator[Finding]:
    if not volume.f_files:  # btrfs and others have as many as they need
        return
    share = volume.f_favail / volume.f_files
    if share < _FEW_INODES:
        yield (fail if share < _NO_INODES else warn)(
            SUBJECT,
            f"{path} ({name}) has {volume.f_favail} inodes left, and each part is a file",
            "Remove small files, or make the file system with more inodes.",
        )
