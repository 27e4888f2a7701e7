"""Token buckets in bounded memory."""

from collections import OrderedDict
from collections.abc import Callable

from controller.domain.room import Allowance


class TokenBucket:
    """One bucket, full at first."""

    __slots__ = ("_since_s", "_tokens")

    def __init__(self, allowance: Allowance, now_s: float) -> None:
        self._tokens = float(allowance.burst)
        self._since_s = now_s

    def take(self, allowance: Allowance, now_s: float) -> bool:
        """Take one token; False when there is none."""
        refilled = self._tokens + (now_s - self._since_s) * allowance.per_s
        tokens = min(float(allowance.burst), refilled)
        self._since_s = now_s
        taken = tokens >= 1 - 1e-9
        self._tokens = tokens - 1 if taken else tokens
        return taken


class TokenBuckets:
    """One bucket per key; the key that was quiet for longest is forgotten first."""

    def __init__(self, monotonic: Callable[[], float], most: int = 50_000) -> None:
        self._monotonic = monotonic
        self._most = most
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, key: str, allowance: Allowance) -> bool:
        """Take one token of the key's bucket; False when it is empty."""
        now_s = self._monotonic()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(allowance, now_s)
        self._buckets.move_to_end(key)
        while len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return bucket.take(allowance, now_s)
