"""What a running daemon can be asked and told from outside: its progress, changed settings."""

from collections.abc import Sequence

from controller.auth.failure_limit import FailureAllowance, FailureLimiter
from controller.composition.media import MediaPlane, budget_of
from controller.logs import set_log_level
from controller.publishing.lifecycle import StreamLifecycle
from controller.settings import Settings


class RunningParts:
    """The parts that are asked while the daemon serves.

    failures: those that count wrong tokens and wrong stream keys.
    """

    def __init__(
        self, media: MediaPlane, lifecycle: StreamLifecycle, failures: Sequence[FailureLimiter]
    ) -> None:
        self._media = media
        self._lifecycle = lifecycle
        self._failures = tuple(failures)
        self._remark = ""

    def stuck(self) -> Sequence[str]:
        """Sessions that have work, make nothing, and could not be helped."""
        return [f"stream {stream_id}" for stream_id in self._media.supervisor.stuck()]

    def describe(self) -> str:
        """One line for the service manager's status."""
        count = len(self._media.supervisor.sessions())
        serving = f"serving {count} encoder{'' if count == 1 else 's'}"
        return f"{serving}; {self._remark}" if self._remark else serving

    def remark(self, text: str) -> None:
        """What the status says as well, until the next remark; empty for nothing."""
        self._remark = text

    def apply(self, settings: Settings) -> None:
        """Go by what may change while the daemon runs: the settings marked RELOADED."""
        set_log_level(settings.log_level)
        allowance = FailureAllowance.a_minute(settings.failures_per_minute)
        for limiter in self._failures:
            limiter.allow(allowance)
        self._media.supervisor.admission.budget = budget_of(settings)
        self._lifecycle.wait_for(settings.reconnect_grace_s)
