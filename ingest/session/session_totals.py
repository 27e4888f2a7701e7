"""What sessions have counted, summed up for whoever watches the daemon."""

from dataclasses import dataclass, field, replace

from ingest.session.health import Lateness


@dataclass(frozen=True, slots=True)
class SessionCounts:
    """What one session has counted over all its workers."""

    restarts: int = 0
    dropped: int = 0
    repaired: int = 0


@dataclass(frozen=True, slots=True)
class SessionTotals:
    """Sums that never go back while the daemon runs."""

    restarts: int = 0
    dropped: int = 0
    repaired: int = 0
    lateness: Lateness = field(default_factory=Lateness)

    def with_session(self, counts: SessionCounts) -> "SessionTotals":
        """These, and a session's."""
        return replace(
            self,
            restarts=self.restarts + counts.restarts,
            dropped=self.dropped + counts.dropped,
            repaired=self.repaired + counts.repaired,
        )

    def with_lateness(self, more: Lateness) -> "SessionTotals":
        """These, and a stream's parts."""
        mine = self.lateness
        return replace(
            self,
            lateness=Lateness(
                parts=mine.parts + more.parts,
                late=mine.late + more.late,
                total_s=mine.total_s + more.total_s,
                recent_max_s=max(mine.recent_max_s, more.recent_max_s),
                buckets=tuple(a + b for a, b in zip(mine.buckets, more.buckets, strict=True)),
            ),
        )
