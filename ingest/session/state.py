"""The life of a session: one enum, one table of legal transitions."""

from enum import StrEnum

from ingest.errors import IllegalTransition


class SessionState(StrEnum):
    """What the worker of a publication is doing."""

    REQUESTED = "requested"
    CONNECTING = "connecting"
    PROBING = "probing"
    LIVE = "live"
    STALLED = "stalled"
    DRAINING = "draining"
    ENDED = "ended"
    FAILED = "failed"


_S = SessionState
LEGAL: dict[SessionState, frozenset[SessionState]] = {
    _S.REQUESTED: frozenset({_S.CONNECTING, _S.DRAINING, _S.FAILED}),
    # a worker that died starts over: back to CONNECTING from wherever it was
    _S.CONNECTING: frozenset({_S.PROBING, _S.CONNECTING, _S.DRAINING, _S.FAILED}),
    _S.PROBING: frozenset({_S.LIVE, _S.CONNECTING, _S.DRAINING, _S.FAILED}),
    _S.LIVE: frozenset({_S.STALLED, _S.CONNECTING, _S.DRAINING, _S.FAILED}),
    _S.STALLED: frozenset({_S.LIVE, _S.CONNECTING, _S.DRAINING, _S.FAILED}),
    _S.DRAINING: frozenset({_S.ENDED, _S.FAILED}),
    _S.ENDED: frozenset(),
    _S.FAILED: frozenset(),
}


def check(before: SessionState, after: SessionState) -> None:
    """Raise IllegalTransition unless `before` → `after` is in the table."""
    if after not in LEGAL[before]:
        raise IllegalTransition(f"a session cannot go from {before} to {after}")
