"""A stream together with whom and what a reader wants to see beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.domain.people import User
from controller.domain.products import Product
from controller.domain.streams import Stream


@dataclass(frozen=True, slots=True)
class DescribedStream:
    """A stream, its host, and its products in the order in which they were attached."""

    stream: Stream
    owner: User
    products: Sequence[Product]
