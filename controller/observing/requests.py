"""What HTTP requests came to, by the route's pattern: never by what stands in an address."""

from prometheus_client import CollectorRegistry, Counter, Histogram

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_UPGRADED = 101


class RequestMetrics:
    """Counts and times requests of the public application."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "golive_http_requests",
            "HTTP requests that were answered.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._durations = Histogram(
            "golive_http_request_duration_seconds",
            "How long HTTP requests took; held playlists take as long as they are held.",
            ["route"],
            buckets=_BUCKETS_S,
            registry=registry,
        )

    def answered(self, method: str, route: str, status: int, duration_s: float) -> None:
        """One request. A connection that went on as a WebSocket is counted, and not timed."""
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route, str(status)).inc()
        if status != _UPGRADED:
            self._durations.labels(route).observe(duration_s)
