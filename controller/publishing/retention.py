"""Deletes recordings whose time is over, or for which there is no room any more."""

import asyncio
import time
from collections import Counter
from typing import Protocol

import structlog

from controller.domain.ports import Clock, StreamStore
from controller.domain.recordings import (
    Recording,
    RecordingState,
    RecordingStore,
    RetentionRules,
)
from controller.domain.streams import Stream
from controller.errors import ControllerError, NothingToDelete, StreamNotFound

_PRUNE_AGAIN_S = 5.0


class RecordingRemoval(Protocol):
    """Who can delete recordings."""

    async def delete(self, stream: Stream, reason: str) -> None:
        """Remove a recording; NothingToDelete."""
        ...

    async def remove(self, stream: Stream, gone: Recording) -> None:
        """Go on with a removal that was cut off."""
        ...

    async def release_lingering(self) -> None:
        """Let the live files of finished streams go."""
        ...


class Retention:
    """Applies the rules every `every_s`, and when space is short."""

    def __init__(
        self,
        streams: StreamStore,
        recordings: RecordingStore,
        removal: RecordingRemoval,
        rules: RetentionRules,
        clock: Clock,
        every_s: float = 600.0,
    ) -> None:
        self._streams = streams
        self._recordings = recordings
        self._removal = removal
        self._rules = rules
        self._clock = clock
        self._every_s = every_s
        self._pruned_s = -_PRUNE_AGAIN_S
        self.deleted: Counter[str] = Counter()
        self._log = structlog.get_logger()

    async def run(self) -> None:
        """Sweep again and again, until cancelled."""
        while True:
            try:
                await self.sweep()
            except ControllerError as error:
                self._log.warning("retention_waits", error=error.detail)
            except Exception:  # noqa: BLE001  the next sweep may succeed
                self._log.exception("retention_failed")
            await asyncio.sleep(self._every_s)

    async def sweep(self) -> None:
        """Delete what has to go now. Raises StoreUnavailable."""
        kept = await self._recordings.kept()
        for recording in kept:
            if recording.state is RecordingState.DELETED:
                await self._go_on(recording)
        for recording, rule in self._rules.to_delete(kept, self._clock.now()):
            await self._delete(recording, rule)

    async def prune(self) -> None:
        """Space is short: apply the rules now, and give up the oldest that nobody has saved."""
        await self._removal.release_lingering()
        if time.monotonic() - self._pruned_s < _PRUNE_AGAIN_S:
            return
        self._pruned_s = time.monotonic()
        await self.sweep()
        for recording in await self._recordings.kept():
            if recording.state is RecordingState.UNSAVED:
                await self._delete(recording, "no_space")
                return

    async def _delete(self, recording: Recording, rule: str) -> None:
        try:
            await self._removal.delete(await self._streams.get(recording.stream_id), rule)
        except (NothingToDelete, StreamNotFound):  # somebody else was faster
            return
        self.deleted[rule] += 1

    async def _go_on(self, recording: Recording) -> None:
        try:
            await self._removal.remove(await self._streams.get(recording.stream_id), recording)
        except StreamNotFound:
            return
