"""One line at the end of each publication, its figures, and its trace to the first part."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram

from controller.observing.tracing import Span, Tracing
from controller.publishing.visits import Visit, Visits
from ingest import SessionSpec, SessionState

_START_BUCKETS_S = (0.1, 0.2, 0.4, 0.6, 1.0, 2.0, 4.0, 8.0, 15.0)
_LENGTH_BUCKETS_S = (10.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0)
_OVER = frozenset({SessionState.ENDED, SessionState.FAILED})


class Counts(Protocol):
    """What a session has counted."""

    @property
    def restarts(self) -> int:
        """Of its workers."""
        ...

    @property
    def dropped(self) -> int:
        """Packets that could not be used."""
        ...

    @property
    def repaired(self) -> int:
        """Timestamps that were put right."""
        ...


class CountingSession(Protocol):
    """A session, as far as its end is told of."""

    @property
    def counted(self) -> Counts:
        """So far."""
        ...


class Sessions(Protocol):
    """Who knows the running sessions, and tells of their states."""

    def subscribe(self, listener: Callable[[SessionSpec, SessionState, str], None]) -> None:
        """Call `listener` with every state, and the error where it failed."""
        ...

    def session(self, stream_id: str) -> CountingSession | None:
        """The running session of a stream."""
        ...


@dataclass(slots=True)
class _Heard:
    """What is known of a publication that has not ended."""

    began: float
    span: Span
    session: CountingSession | None = None
    visit: Visit | None = None
    live_after_s: float | None = None


class PublicationLog:
    """Listens to the sessions; knows as many publications as there are sessions."""

    def __init__(
        self,
        sessions: Sessions,
        visits: Visits,
        registry: CollectorRegistry,
        tracing: Tracing,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sessions = sessions
        self._visits = visits
        self._tracing = tracing
        self._monotonic = monotonic
        self._heard: dict[str, _Heard] = {}
        self._log = structlog.get_logger()
        self._ended = Counter(
            "golive_publications",
            "Publications that are over, by how they ended.",
            ["outcome"],
            registry=registry,
        )
        self._starts = Histogram(
            "golive_session_start_seconds",
            "From a session's start to its first part.",
            buckets=_START_BUCKETS_S,
            registry=registry,
        )
        self._lengths = Histogram(
            "golive_publication_duration_seconds",
            "How long publications were.",
            buckets=_LENGTH_BUCKETS_S,
            registry=registry,
        )
        sessions.subscribe(self._changed)

    def _changed(self, spec: SessionSpec, state: SessionState, error: str) -> None:
        heard = self._heard.get(spec.publication)
        if heard is None:
            heard = self._begin(spec)
        # Found anew each time: at the end the session is forgotten already.
        heard.session = self._sessions.session(spec.stream_id) or heard.session
        heard.visit = heard.visit or self._visits.named(spec.publication)
        heard.span.event(state.value)
        if state is SessionState.LIVE and heard.live_after_s is None:
            heard.live_after_s = self._monotonic() - heard.began
            self._starts.observe(heard.live_after_s)
            heard.span.end()
        elif state in _OVER:
            del self._heard[spec.publication]
            self._end(spec, heard, state, error)

    def _begin(self, spec: SessionSpec) -> _Heard:
        """The span is a child of the hook's: the session runs in a task that the hook started."""
        span = self._tracing.begin(
            "first part", {"stream_id": spec.stream_id, "publication": spec.publication}
        )
        return self._heard.setdefault(spec.publication, _Heard(self._monotonic(), span))

    def _end(self, spec: SessionSpec, heard: _Heard, state: SessionState, error: str) -> None:
        duration_s = self._monotonic() - heard.began
        if heard.live_after_s is None:
            heard.span.end(error=error or "it ended before its first part")
        self._ended.labels(state.value).inc()
        self._lengths.observe(duration_s)
        publisher = heard.visit.publication.publisher if heard.visit else None
        counted = heard.session.counted if heard.session else None
        self._log.info(
            "publication_ended",
            stream_id=spec.stream_id,
            publication=spec.publication,
            outcome=state.value,
            error=error or None,
            duration_s=round(duration_s, 1),
            first_part_after_s=None if heard.live_after_s is None else round(heard.live_after_s, 3),
            client_id=publisher.nginx_client_id if publisher else None,
            address=publisher.client_address if publisher else None,
            restarts=counted.restarts if counted else None,
            packets_dropped=counted.dropped if counted else None,
            timestamps_repaired=counted.repaired if counted else None,
        )
