"""Tells the log what a stream's room will be told."""

import structlog

from controller.domain.products import ProductTag
from controller.domain.streams import Stream


class LogAnnouncer:
    """A StreamAnnouncer for a daemon without a room."""

    def __init__(self) -> None:
        self._log = structlog.get_logger()

    async def started(self, stream: Stream) -> None:
        """The stream has gone live."""
        self._log.info("stream_started", stream_id=str(stream.id))

    async def ended(self, stream: Stream) -> None:
        """The stream has ended."""
        self._log.info("stream_ended", stream_id=str(stream.id))

    async def product_tagged(self, tag: ProductTag) -> None:
        """A product was pinned."""
        self._log.info("product_tagged", stream_id=str(tag.stream_id))
