"""What is done again and again: leases, counts, books, and clients that do not read."""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from controller.domain.ports import Clock
from controller.domain.room import PresenceChange
from controller.domain.room_ports import Realtime, RoomStore
from controller.errors import ControllerError
from controller.hub.broadcasting import Broadcaster
from controller.hub.connection import Connection
from controller.hub.figures import FigureWriter
from controller.hub.limits import HubLimits
from controller.hub.quality import QualityBook
from controller.hub.room import Pacer
from controller.hub.room_journal import Journal
from controller.hub.rooms import OpenRoom, Rooms
from controller.hub.watchers import Watchers

_LEASE_PARTS = 3


class Upkeep:
    """Ticks until it is cancelled; a step that fails is logged and tried again."""

    def __init__(
        self,
        rooms: Rooms,
        broadcaster: Broadcaster,
        figures: FigureWriter,
        realtime: Realtime,
        store: RoomStore,
        watchers: Watchers,
        quality: QualityBook,
        journal: Journal,
        connections: Callable[[], Sequence[Connection]],
        limits: HubLimits,
        pacer: Pacer,
        clock: Clock,
    ) -> None:
        self._rooms = rooms
        self._broadcaster = broadcaster
        self._figures = figures
        self._realtime = realtime
        self._store = store
        self._watchers = watchers
        self._quality = quality
        self._journal = journal
        self._summed_s = pacer.monotonic_s()
        self._connections = connections
        self._limits = limits
        self._pacer = pacer
        self._clock = clock
        self._log = structlog.get_logger(__name__)

    async def correct_counts(self) -> None:
        """Set right the counts that a killed predecessor left behind."""
        try:
            for stream_id in await self._store.streams_with_viewers():
                viewers = await self._realtime.viewers(stream_id)
                await self._store.set_viewers_now(stream_id, viewers)
        except ControllerError as error:
            self._log.warning("room_counts_uncorrected", code=error.code)

    async def tick_forever(self) -> None:
        """Rooms and slow clients, every `tick_s`."""
        while True:
            await self._pacer.rest(self._limits.tick_s)
            await self.tick()

    async def tick(self) -> None:
        """Go round once."""
        now_s = self._pacer.monotonic_s()
        now = self._clock.now()
        for connection in self._connections():
            connection.look(now_s, self._limits.stalled_s)
            connection.look_at_token(now, self._limits.token_warning_s)
        await self._watchers.tick()
        for opened in self._rooms.all:
            await self._look_after(opened)
        await self.write_books()
        await self._quality.write()
        await self._rooms.close_idle()

    async def write_books(self) -> bool:
        """Write what all rooms have counted, and that whoever is here is still here; False when
        the store is not there.
        """
        page = self._journal.turn_page()
        # One refusal is enough: the next room would only wait for another.
        for opened in self._rooms.all:
            if not await self._figures.try_write(opened):
                return False
        self._journal.forget(page)
        now_s = self._pacer.monotonic_s()
        is_summing = now_s - self._summed_s >= self._limits.sum_up_s
        if is_summing:
            self._summed_s = now_s
        try:
            if self._rooms.is_closing or any(one.presence.here for one in self._rooms.all):
                await self._figures.beat()
            for opened in self._rooms.all:
                await self._sum_up(opened, is_due=is_summing)
        except ControllerError as error:
            self._log.warning("room_figures_unwritten", code=error.code)
            return False
        return True

    async def renew_forever(self) -> None:
        """Leases, ours and the dead's."""
        while True:
            await asyncio.sleep(self._limits.lease_s / _LEASE_PARTS)
            try:
                await self.renew()
            except ControllerError as error:
                self._log.warning("room_lease_not_renewed", code=error.code)

    async def renew(self) -> None:
        """Renew our lease, and take out the viewers of daemons that did not."""
        await self._realtime.renew_lease()
        for gone in await self._realtime.release_expired():
            self._log.info(
                "room_viewers_released", stream_id=str(gone.stream_id), viewers=len(gone.viewers)
            )
            change = PresenceChange((), gone.viewers, gone.viewers_now, 0)
            await self._broadcaster.presence_changed(gone.stream_id, change, False)
            await self._store.set_viewers_now(gone.stream_id, gone.viewers_now, gone.viewers)
            self._rooms.keep_unwritten(gone.stream_id)

    async def refresh_forever(self) -> None:
        """Streams' rows, for what no event has told."""
        while True:
            await asyncio.sleep(self._limits.refresh_s)
            for opened in self._rooms.all:
                if opened.room.state.is_over or not opened.room.members:
                    continue
                try:
                    await self._rooms.refresh(opened)
                except ControllerError as error:
                    self._log.warning("room_not_refreshed", code=error.code)

    async def _sum_up(self, opened: OpenRoom, *, is_due: bool) -> None:
        """Once in a while while people watch, and once more when the stream is over."""
        is_over = opened.room.state.is_over
        if (is_over and not opened.is_summed) or (is_due and not is_over and opened.presence.here):
            await self._figures.sum_up(opened.room.stream_id)
            opened.is_summed = is_over

    async def _look_after(self, opened: OpenRoom) -> None:
        try:
            if not opened.presence.is_settled:
                await opened.presence.settle()
            await self._broadcaster.check_count(opened)
            await self._broadcaster.flush_counts(opened)
        except ControllerError as error:
            self._log.warning(
                "room_upkeep_failed", stream_id=str(opened.room.stream_id), code=error.code
            )
