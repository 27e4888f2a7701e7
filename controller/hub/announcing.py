"""Tells the room what the API and the media side have done: the `StreamAnnouncer` with a room."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import structlog

from controller.domain.coach import Change
from controller.domain.ports import Clock
from controller.domain.products import ProductTag
from controller.domain.showcase import ProductPin
from controller.domain.streams import Stream
from controller.errors import ControllerError
from controller.hub import payloads
from controller.hub.broadcasting import Broadcaster
from controller.hub.errors import RealtimeUnavailable
from controller.hub.figures import FigureWriter
from controller.hub.rooms import Rooms

_PUBLISH_S = 3.0
_SUM_UP_S = 10.0


class RoomAnnouncer:
    """Every call is bounded and never raises: the change is committed already."""

    def __init__(
        self, rooms: Rooms, broadcaster: Broadcaster, figures: FigureWriter, clock: Clock
    ) -> None:
        self._rooms = rooms
        self._broadcaster = broadcaster
        self._figures = figures
        self._clock = clock
        self._log = structlog.get_logger(__name__)

    async def started(self, stream: Stream) -> None:
        """The stream has gone live."""
        self._see(stream)
        await self._tell(stream.id, payloads.STREAM_STARTED, payloads.stream_started(stream))

    async def ended(self, stream: Stream) -> None:
        """The stream has ended; its figures are written as far as this daemon knows them."""
        self._see(stream)
        await self._tell(stream.id, payloads.STREAM_ENDED, payloads.stream_ended(stream))
        opened = self._rooms.find(stream.id)
        try:
            async with asyncio.timeout(_SUM_UP_S):
                if opened is not None:
                    await self._figures.write(opened)
                    await self._figures.beat()
                await self._figures.sum_up(stream.id)
        except (TimeoutError, ControllerError) as error:
            self._log.warning("room_not_summed_up", reason=type(error).__name__)

    async def interrupted(self, stream: Stream) -> None:
        """The encoder has gone, and may come back."""
        self._see(stream)
        data = payloads.stream_state(stream.id, self._clock.now())
        await self._tell(stream.id, payloads.STREAM_INTERRUPTED, data)

    async def resumed(self, stream: Stream) -> None:
        """The encoder is back."""
        self._see(stream)
        data = payloads.stream_state(stream.id, self._clock.now())
        await self._tell(stream.id, payloads.STREAM_RESUMED, data)

    async def product_tagged(self, tag: ProductTag) -> None:
        """A product was pinned."""
        await self._tell(tag.stream_id, payloads.PRODUCT_TAGGED, payloads.product_tagged(tag))

    async def product_pinned(self, pin: ProductPin) -> None:
        """A product is shown beside the picture."""
        await self._tell(pin.stream_id, payloads.PRODUCT_PINNED, payloads.product_pin(pin))

    async def product_unpinned(self, pin: ProductPin) -> None:
        """It no longer is."""
        await self._tell(pin.stream_id, payloads.PRODUCT_UNPINNED, payloads.product_pin(pin))

    async def advised(self, stream_id: UUID, change: Change) -> None:
        """The coach has something to say to the host, or takes it back."""
        data = payloads.stream_advice(stream_id, change, self._clock.now())
        await self._tell(stream_id, payloads.STREAM_ADVICE, data)

    def _see(self, stream: Stream) -> None:
        opened = self._rooms.find(stream.id)
        if opened is not None:
            opened.room.state.stream = stream

    async def _tell(self, stream_id: UUID, name: str, data: Mapping[str, Any]) -> None:
        try:
            async with asyncio.timeout(_PUBLISH_S):
                await self._broadcaster.publish(stream_id, name, data)
        except (TimeoutError, RealtimeUnavailable):
            self._log.warning("room_untold", stream_id=str(stream_id), told=name)
