"""Slows down sources that fail too often, in bounded memory."""

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from controller.errors import TooManyFailures

_IPV6_NETWORK_BITS = 64


@dataclass(frozen=True, slots=True)
class FailureAllowance:
    """`burst` failures at once, then `per_minute`; at most `sources` are remembered."""

    burst: int = 20
    per_minute: float = 20.0
    sources: int = 10_000

    @classmethod
    def a_minute(cls, count: int) -> Self:
        """`count` in a minute, all of them at once if need be."""
        return cls(burst=count, per_minute=count)


class FailureLimiter:
    """A leaking bucket of failures per source.

    The source that has been quiet for longest is forgotten first, so an attacker with many
    addresses costs memory up to the bound and no more.
    """

    def __init__(self, allowance: FailureAllowance, monotonic: Callable[[], float]) -> None:
        self._allowance = allowance
        self._monotonic = monotonic
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allow(self, allowance: FailureAllowance) -> None:
        """Go by another allowance from now on; what was counted stays."""
        self._allowance = allowance

    def failed(self, address: str) -> None:
        """Count a failure; raise TooManyFailures when the source has used up its allowance."""
        source = network_of(address)
        now = self._monotonic()
        leak_per_s = self._allowance.per_minute / 60
        level, since = self._levels.pop(source, (0.0, now))
        level = max(0.0, level - (now - since) * leak_per_s)
        excess = level + 1 - self._allowance.burst
        # A refused failure is not added: who keeps trying waits no longer than who stops.
        self._levels[source] = (level if excess > 0 else level + 1, now)
        while len(self._levels) > self._allowance.sources:
            self._levels.popitem(last=False)
        if excess > 0:
            raise TooManyFailures(retry_after_s=math.ceil(excess / leak_per_s))


def network_of(address: str) -> str:
    """The address, or for IPv6 its /64: the least that one customer is given."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _IPV6_NETWORK_BITS), strict=False))
    return str(parsed)
