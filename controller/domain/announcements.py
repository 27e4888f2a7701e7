"""The announcer of an installation without a room: changes are in the store, nobody is told."""

from controller.domain.products import ProductTag
from controller.domain.showcase import ProductPin
from controller.domain.streams import Stream


class NoRoom:
    """The `StreamAnnouncer` that has nobody to tell."""

    async def started(self, stream: Stream) -> None:
        """Nobody to tell."""

    async def product_pinned(self, pin: ProductPin) -> None:
        """Nobody to tell."""

    async def product_unpinned(self, pin: ProductPin) -> None:
        """Nobody to tell."""

    async def ended(self, stream: Stream) -> None:
        """Nobody to tell."""

    async def product_tagged(self, tag: ProductTag) -> None:
        """Nobody to tell."""
