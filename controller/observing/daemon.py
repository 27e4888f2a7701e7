"""What the daemon is, and how many of its database's connections are in use."""

import platform
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class DaemonMetrics(Collector):
    """`database` answers connections in use, their limit, and transactions that failed."""

    def __init__(
        self,
        version: str,
        database: Callable[[], tuple[int, int, int]],
        registry: CollectorRegistry,
    ) -> None:
        self._version = version
        self._database = database
        registry.register(self)

    def describe(self) -> list[Metric]:
        """Nothing is asked before the daemon runs."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures now."""
        build = GaugeMetricFamily(
            "golive_build_info", "1, with what runs.", labels=["version", "python"]
        )
        build.add_metric([self._version, platform.python_version()], 1)
        yield build
        in_use, limit, failed = self._database()
        yield GaugeMetricFamily("golive_database_connections", "Connections in use.", value=in_use)
        yield GaugeMetricFamily(
            "golive_database_connections_limit", "Connections there may be.", value=limit
        )
        yield CounterMetricFamily(
            "golive_database_failures",
            "Transactions that the database did not carry out.",
            value=failed,
        )
