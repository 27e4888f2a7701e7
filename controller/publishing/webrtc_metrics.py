"""WebRTC's figures for Prometheus, read when they are asked for."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ingest import WhepDesk, WhipDesk


class WebRtcMetrics(Collector):
    """Sums over all streams."""

    def __init__(self, desk: WhepDesk, whip: WhipDesk, registry: CollectorRegistry) -> None:
        self._desk = desk
        self._whip = whip
        registry.register(self)

    def describe(self) -> list[Metric]:
        """Nothing is asked before it runs."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures now."""
        desk, figures = self._desk, self._desk.figures()
        yield GaugeMetricFamily(
            "golive_whep_viewers", "Viewers over WebRTC that are connected.", value=desk.viewers
        )
        yield GaugeMetricFamily(
            "golive_whep_sessions",
            "The same, with those that are still connecting.",
            value=desk.sessions,
        )
        yield CounterMetricFamily(
            "golive_whep_opened", "Offers that were answered.", value=desk.opened
        )
        yield CounterMetricFamily(
            "golive_whep_refused_full", "Viewers over the limit.", value=desk.refused_full
        )
        yield CounterMetricFamily(
            "golive_whep_frames_dropped",
            "Frames that a viewer who lagged did not get.",
            value=figures.frames_dropped,
        )
        yield CounterMetricFamily(
            "golive_whep_keyframe_requests",
            "Pictures that viewers lost and asked for anew.",
            value=figures.keyframe_requests,
        )
        yield GaugeMetricFamily(
            "golive_whip_publishers",
            "Publishers over WebRTC that are connected.",
            value=self._whip.publishers,
        )
        yield CounterMetricFamily(
            "golive_whip_opened",
            "Publishers over WebRTC that were let in.",
            value=self._whip.opened,
        )
