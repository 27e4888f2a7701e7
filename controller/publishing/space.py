"""What is given up when disk space runs short, in which order, so that live streams never end.

First what can be had again goes; then no new recording begins; then no new encoder is let in; at
last the running recordings pause. Each step is taken back when there is space again.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import structlog

from ingest import Thrift

_RECOVERY = 1.1
"""A step is taken back when a tenth more is free than what it is taken at."""

_GIB = 1 << 30
_MOST_BYTES = (20 * _GIB, 10 * _GIB, 6 * _GIB, 3 * _GIB)


class SpaceStep(IntEnum):
    """The steps, each with all before it."""

    NONE = 0
    PRUNE = 1
    NO_RECORDINGS = 2
    NO_PUBLISHERS = 3
    LIVE_ONLY = 4

    @property
    def word(self) -> str:
        """For logs, metrics and /readyz."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class SpaceMarks:
    """At how many free bytes each step is taken, in the order of `SpaceStep`, from PRUNE on."""

    free_bytes: tuple[int, ...]

    @classmethod
    def of(cls, percents: Sequence[float], total_bytes: int) -> "SpaceMarks":
        """From percents of a volume; of a large one no more than 20, 10, 6 and 3 GiB."""
        shares = (int(total_bytes * percent / 100) for percent in percents)
        return cls(tuple(map(min, shares, _MOST_BYTES)))

    def step(self, free_bytes: int, current: SpaceStep) -> SpaceStep:
        """The step for so much free space, where `current` is in force."""
        found = SpaceStep.NONE
        for step, mark in zip(list(SpaceStep)[1:], self.free_bytes, strict=True):
            bound = mark * _RECOVERY if step <= current else mark
            if free_bytes < bound:
                found = step
        return found


@dataclass(slots=True)
class _Volume:
    """A file system that is watched, and what it was like when it was looked at last."""

    name: str
    path: Path
    device: int
    free_bytes: int = 0
    step: SpaceStep = SpaceStep.NONE


@dataclass(frozen=True, slots=True)
class VolumeState:
    """What is told of a watched volume."""

    name: str
    free_bytes: int
    step: SpaceStep


class SpaceGuard:
    """Looks at the volumes once every `every_s`, and takes or takes back one step after another.

    folders: what is watched, by name; those on one volume are watched as the first of them. The
    spool's own volume only keeps encoders out: nothing else frees it.
    """

    def __init__(
        self,
        folders: Mapping[str, Path],
        percents: Sequence[float],
        *,
        economize: Callable[[Thrift], None],
        every_s: float = 1.0,
    ) -> None:
        self._folders = folders
        self._percents = tuple(percents)
        self._economize = economize
        self._prune: list[Callable[[], Awaitable[None]]] = []
        self._every_s = every_s
        self._pruning: asyncio.Task[None] | None = None
        self._volumes: list[_Volume] = []
        self.steps_taken: Counter[tuple[str, str]] = Counter()
        self._log = structlog.get_logger()

    @property
    def may_record(self) -> bool:
        """Whether a new recording may begin."""
        return self._data_step < SpaceStep.NO_RECORDINGS

    @property
    def may_publish(self) -> bool:
        """Whether an encoder of a stream that has had none yet is let in."""
        return all(volume.step < SpaceStep.NO_PUBLISHERS for volume in self._volumes)

    @property
    def is_pruning(self) -> bool:
        """Whether space is short enough for anything to be given up."""
        return self._data_step >= SpaceStep.PRUNE

    @property
    def volumes(self) -> list[VolumeState]:
        """The volumes as they were looked at last."""
        return [VolumeState(v.name, v.free_bytes, v.step) for v in self._volumes]

    def on_short(self, prune: Callable[[], Awaitable[None]]) -> None:
        """Call `prune` at every look while space is short."""
        self._prune.append(prune)

    async def look(self) -> None:
        """Look once, and act."""
        if not self._volumes:
            self._volumes = await asyncio.to_thread(self._found)
        before = self._thrift
        for volume in self._volumes:
            await self._look_at(volume)
        if self._thrift is not before:
            self._economize(self._thrift)
        if self.is_pruning and (self._pruning is None or self._pruning.done()):
            # Not waited for: a store that is slow to delete must not hold up the next step.
            self._pruning = asyncio.create_task(self._run_prunes(), name="prune")

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        try:
            while True:
                try:
                    await self.look()
                except Exception:  # noqa: BLE001  the next look may succeed
                    self._log.exception("space_not_watched")
                await asyncio.sleep(self._every_s)
        finally:
            if self._pruning is not None:
                self._pruning.cancel()

    async def _run_prunes(self) -> None:
        for prune in self._prune:
            try:
                await prune()
            except Exception:  # noqa: BLE001  the next look tries again
                self._log.exception("prune_failed")

    @property
    def _data_step(self) -> SpaceStep:
        steps = (volume.step for volume in self._volumes if volume.name != "spool")
        return max(steps, default=SpaceStep.NONE)

    @property
    def _thrift(self) -> Thrift:
        if self._data_step >= SpaceStep.LIVE_ONLY:
            return Thrift.LIVE_ONLY
        return Thrift.SHORT_WINDOWS if self.is_pruning else Thrift.NONE

    def _found(self) -> list[_Volume]:
        volumes: list[_Volume] = []
        for name, path in self._folders.items():
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            device = path.stat().st_dev
            if all(volume.device != device for volume in volumes):
                volumes.append(_Volume(name, path, device))
        return volumes

    async def _look_at(self, volume: _Volume) -> None:
        found = await asyncio.to_thread(os.statvfs, volume.path)
        total = found.f_blocks * found.f_frsize
        volume.free_bytes = found.f_bavail * found.f_frsize
        marks = SpaceMarks.of(self._percents, total)
        target = marks.step(volume.free_bytes, volume.step)
        while volume.step is not target:
            self._move(volume, SpaceStep(volume.step + (1 if target > volume.step else -1)))

    def _move(self, volume: _Volume, step: SpaceStep) -> None:
        """One step on or back."""
        if step > volume.step:
            self.steps_taken[volume.name, step.word] += 1
            tell = self._log.warning
        else:
            tell = self._log.info
        tell(
            "space_step",
            volume=volume.name,
            before=volume.step.word,
            after=step.word,
            free_mb=volume.free_bytes // 1_000_000,
        )
        volume.step = step
