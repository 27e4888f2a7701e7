"""Token buckets in bounded memory."""

from collections import OrderedDict
from collections.abc import Callable

from controller.domain.room import Allowance


class TokenBuckets:
    """One bucket per key; the key that was quiet for longest is forgotten first."""

    def __init__(self, monotonic: Callable[[], float], most: int = 50_000) -> None:
        self._monotonic = monotonic
        self._most = most
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, allowance: Allowance) -> bool:
        """Take one token of the key's bucket; False when it is empty."""
        now = self._monotonic()
        tokens, since = self._levels.get(key, (float(allowance.burst), now))
        tokens = min(float(allowance.burst), tokens + (now - since) * allowance.per_s)
        taken = tokens >= 1 - 1e-9
        self._levels[key] = (tokens - 1 if taken else tokens, now)
        self._levels.move_to_end(key)
        while len(self._levels) > self._most:
            self._levels.popitem(last=False)
        return taken
