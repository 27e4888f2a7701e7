"""Traces as OTLP over HTTP; imported only when an endpoint is set."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import StatusCode

from controller.observing.tracing import Attributes

_EXPORT_TIMEOUT_S = 5.0
_QUEUE_SPANS = 2048
_PATH = "/v1/traces"


class OtlpTracing:
    """See `Tracing`. Spans wait in a bounded queue and are sent by a thread; those that do not fit
    or that the collector does not take are lost, and nothing waits for it."""

    def __init__(self, endpoint: str, version: str) -> None:
        exporter = OTLPSpanExporter(
            endpoint=endpoint.removesuffix(_PATH) + _PATH, timeout=_EXPORT_TIMEOUT_S
        )
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": "golive", "service.version": version}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, max_queue_size=_QUEUE_SPANS, schedule_delay_millis=1000)
        )
        self._tracer = self._provider.get_tracer("golive")

    @contextmanager
    def within(self, name: str, attributes: Attributes) -> Iterator["OtlpSpan"]:
        """See `Tracing.within`."""
        with self._tracer.start_as_current_span(name, attributes=dict(attributes)) as span:
            yield OtlpSpan(span)

    def begin(self, name: str, attributes: Attributes) -> "OtlpSpan":
        """See `Tracing.begin`."""
        return OtlpSpan(self._tracer.start_span(name, attributes=dict(attributes)))

    def close(self) -> None:
        """See `Tracing.close`."""
        self._provider.shutdown()


class OtlpSpan:
    """See `Span`."""

    def __init__(self, span: OtelSpan) -> None:
        self._span = span

    def event(self, name: str) -> None:
        """See `Span.event`."""
        self._span.add_event(name)

    def end(self, **attributes: str | float | bool) -> None:
        """See `Span.end`."""
        self._span.set_attributes(dict(attributes))
        if "error" in attributes:
            self._span.set_status(StatusCode.ERROR, str(attributes["error"]))
        self._span.end()
