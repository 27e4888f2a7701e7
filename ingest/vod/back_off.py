"""How long to wait after a failure before trying again."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BackOff:
    """Doubles from `first_s` to `longest_s`; each wait is drawn from the upper half of it, so that
    those who failed together do not come back together."""

    chance: random.Random
    first_s: float = 0.25
    longest_s: float = 15.0

    def wait_s(self, failures: int, asked_s: float = 0.0) -> float:
        """After that many failures in a row; never less than the store has asked for."""
        doubled = self.first_s * 2.0 ** min(max(0, failures - 1), 30)
        bound_s = min(self.longest_s, doubled)
        return max(asked_s, bound_s * self.chance.uniform(0.5, 1.0))

    def wait_refused_s(self) -> float:
        """After an answer that somebody has to change something for."""
        return self.longest_s * self.chance.uniform(0.5, 1.0)
