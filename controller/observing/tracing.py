"""Traces, behind a small port: off by default, and then without any cost.

With `GOLIVE_OTLP_ENDPOINT` spans go to an OpenTelemetry collector (`pip install golive[tracing]`).
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Protocol

from controller.errors import ConfigurationError

Attributes = Mapping[str, str | int | float | bool]


class Span(Protocol):
    """Something that takes time."""

    def event(self, name: str) -> None:
        """What happened meanwhile, now."""
        ...

    def end(self, **attributes: str | float | bool) -> None:
        """It is over; an attribute `error` says that it failed, and why."""
        ...


class Tracing(Protocol):
    """Where spans begin; one that begins inside another is its child."""

    def within(self, name: str, attributes: Attributes) -> AbstractContextManager[Span]:
        """A span around a block; what the block starts belongs to it, tasks included."""
        ...

    def begin(self, name: str, attributes: Attributes) -> Span:
        """A span that somebody ends later."""
        ...

    def close(self) -> None:
        """Send what is left, within seconds."""
        ...


class NoSpan:
    """Nothing is noted."""

    def event(self, name: str) -> None:
        """Nothing."""

    def end(self, **attributes: str | float | bool) -> None:
        """Nothing."""


class NoTracing:
    """No traces."""

    def within(self, name: str, attributes: Attributes) -> AbstractContextManager[Span]:  # noqa: ARG002
        """The block alone."""
        return nullcontext(_NO_SPAN)

    def begin(self, name: str, attributes: Attributes) -> Span:  # noqa: ARG002
        """Nothing."""
        return _NO_SPAN

    def close(self) -> None:
        """Nothing."""


_NO_SPAN = NoSpan()


def open_tracing(endpoint: str, version: str) -> Tracing:
    """Traces to the collector at `endpoint`, none for an empty one.

    Raises ConfigurationError when the optional packages are missing.
    """
    if not endpoint:
        return NoTracing()
    try:
        otlp = import_module("controller.observing.otlp")
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "GOLIVE_OTLP_ENDPOINT needs the packages of `pip install golive[tracing]`"
        ) from error
    tracing: Tracing = otlp.OtlpTracing(endpoint, version)
    return tracing
