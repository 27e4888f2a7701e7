"""The media plane's figures for Prometheus, read when they are asked for."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from ingest import LATENESS_BOUNDS_S, SessionState, SessionSupervisor


class MediaMetrics(Collector):
    """Sums over the sessions; what one stream does is the API's to tell."""

    def __init__(self, supervisor: SessionSupervisor, registry: CollectorRegistry) -> None:
        self._supervisor = supervisor
        registry.register(self)

    def describe(self) -> list[Metric]:
        """Nothing is asked of the supervisor before it runs."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures now."""
        sessions = self._supervisor.sessions()
        states = GaugeMetricFamily("golive_sessions", "Sessions by state.", labels=["state"])
        for state in SessionState:
            count = sum(session.state is state for session in sessions)
            states.add_metric([state.value], count)
        yield states
        health = [session.health for session in sessions if session.health is not None]
        yield GaugeMetricFamily(
            "golive_intake_bits_per_second",
            "What encoders send, audio and video.",
            value=sum(one.video_bits_per_s + one.audio_bits_per_s for one in health),
        )
        yield GaugeMetricFamily(
            "golive_spool_unread_bytes",
            "Received and not packaged yet.",
            value=sum(one.unread_bytes for one in health),
        )
        admission = self._supervisor.admission
        yield GaugeMetricFamily(
            "golive_session_budget", "What all sessions may cost.", value=admission.budget.total
        )
        yield GaugeMetricFamily(
            "golive_session_cost", "What the running sessions cost.", value=admission.used
        )
        yield CounterMetricFamily(
            "golive_sessions_refused", "Encoders over the budget.", value=admission.refused
        )
        totals = self._supervisor.totals()
        yield CounterMetricFamily(
            "golive_worker_restarts", "Workers that died and were replaced.", value=totals.restarts
        )
        yield CounterMetricFamily(
            "golive_packets_dropped", "Packets that could not be used.", value=totals.dropped
        )
        yield CounterMetricFamily(
            "golive_timestamps_repaired", "Timestamps that were put right.", value=totals.repaired
        )
        lateness = totals.lateness
        yield CounterMetricFamily(
            "golive_parts_late", "Parts late by more than half of PART-TARGET.", value=lateness.late
        )
        yield _histogram(lateness.buckets, lateness.total_s)


def _histogram(counts: tuple[int, ...], total_s: float) -> Metric:
    """Prometheus' buckets hold all parts up to their bound."""
    bounds = [*(str(bound) for bound in LATENESS_BOUNDS_S), "+Inf"]
    buckets, sum_so_far = [], 0
    for bound, count in zip(bounds, counts, strict=True):
        sum_so_far += count
        buckets.append((bound, sum_so_far))
    return HistogramMetricFamily(
        "golive_part_lateness_seconds",
        "How late Partial Segments were listed, against the best of the last half minute.",
        buckets=buckets,
        sum_value=total_s,
    )
