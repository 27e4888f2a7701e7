"""Pinning products beside the picture."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from controller.api.answers import CamelAnswer
from controller.api.registry import Answer, AnyOperation, Call, Operation
from controller.api.requests import Nothing
from controller.domain.showcase import ShowcaseService
from controller.errors import NotYourStream, ProductNotInStream, StreamNotFound, StreamNotLive


class ProductPinned(CamelAnswer):
    """Whether the product is shown, and since when or until when."""

    product_id: UUID
    pinned: bool
    at: datetime | None = Field(
        description="The moment of the media, as in EXT-X-PROGRAM-DATE-TIME; null when there was "
        "nothing to take away."
    )


class ShowcaseHandlers:
    """From validated calls to the service and back."""

    def __init__(self, pins: ShowcaseService) -> None:
        self._pins = pins

    async def pin(self, call: Call[Nothing, Nothing]) -> Answer:
        """POST /streams/{stream_id}/products/{product_id}/pin."""
        product_id = call.path["product_id"]
        pin = await self._pins.pin(call.caller, call.path["stream_id"], product_id)
        return Answer(ProductPinned(product_id=product_id, pinned=True, at=pin.since.at))

    async def unpin(self, call: Call[Nothing, Nothing]) -> Answer:
        """DELETE /streams/{stream_id}/products/{product_id}/pin."""
        product_id = call.path["product_id"]
        pin = await self._pins.unpin(call.caller, call.path["stream_id"], product_id)
        at = pin.until.at if pin is not None and pin.until is not None else None
        return Answer(ProductPinned(product_id=product_id, pinned=False, at=at))


def showcase_operations(handlers: ShowcaseHandlers) -> list[AnyOperation]:
    """Both calls."""
    path = "/streams/{stream_id}/products/{product_id}/pin"
    return [
        Operation(
            method="POST",
            path=path,
            id="pinProduct",
            tag="Engagement",
            summary="Show a product beside the picture, instead of the one before",
            who="The owner, while live",
            handler=handlers.pin,
            answers={200: ProductPinned},
            refusals=(StreamNotFound, NotYourStream, ProductNotInStream, StreamNotLive),
        ),
        Operation(
            method="DELETE",
            path=path,
            id="unpinProduct",
            tag="Engagement",
            summary="Take a product away again",
            who="The owner, while live",
            handler=handlers.unpin,
            answers={200: ProductPinned},
            refusals=(StreamNotFound, NotYourStream, StreamNotLive),
        ),
    ]
