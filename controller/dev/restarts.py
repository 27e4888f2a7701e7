"""How often a crashed child is started again, and after which pause."""

from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """At most `budget` restarts within `window_s`; pauses double from `first_pause_s`.

    A run of `healthy_s` or more was no crash at the start: its successor comes at once, and what
    was before it is forgotten.
    """

    budget: int = 5
    window_s: float = 60.0
    first_pause_s: float = 0.2
    longest_pause_s: float = 5.0
    healthy_s: float = 4.0


@dataclass(slots=True)
class RestartBudget:
    """What is left of a policy; sans-I/O, time is an argument."""

    policy: RestartPolicy = field(default_factory=RestartPolicy)
    _restarts_s: deque[float] = field(default_factory=deque)

    def next_pause_s(self, now_s: float, lived_s: float = 0.0) -> float | None:
        """How long to wait before the restart that `now_s` asks for; None: give up.

        lived_s: how long the run that has ended was up.
        """
        if lived_s >= self.policy.healthy_s:
            self._restarts_s.clear()
            return 0.0
        while self._restarts_s and now_s - self._restarts_s[0] > self.policy.window_s:
            self._restarts_s.popleft()
        used = len(self._restarts_s)
        if used >= self.policy.budget:
            return None
        self._restarts_s.append(now_s)
        pause_s: float = self.policy.first_pause_s * 2.0**used
        return min(pause_s, self.policy.longest_pause_s)
