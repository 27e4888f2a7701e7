"""The two tables of legal transitions."""

import pytest

from controller.domain.states import (
    INGEST_TRANSITIONS,
    STATUS_TRANSITIONS,
    IngestState,
    StreamStatus,
)


def test_a_stream_is_scheduled_then_live_then_ended_or_cancelled():
    steps = {(a.value, b.value) for a, targets in STATUS_TRANSITIONS.items() for b in targets}
    assert steps == {("scheduled", "live"), ("scheduled", "cancelled"), ("live", "ended")}


def test_an_encoder_comes_and_goes_until_it_is_finished():
    steps = {(a.value, b.value) for a, targets in INGEST_TRANSITIONS.items() for b in targets}
    assert steps == {
        ("idle", "connected"),
        ("connected", "interrupted"),
        ("interrupted", "connected"),
        ("idle", "finished"),
        ("connected", "finished"),
        ("interrupted", "finished"),
    }


@pytest.mark.parametrize(
    ("words", "table"), [(StreamStatus, STATUS_TRANSITIONS), (IngestState, INGEST_TRANSITIONS)]
)
def test_a_table_knows_every_state(words, table):
    assert set(table) == set(words)


def test_nobody_can_change_a_table():
    with pytest.raises(TypeError):
        STATUS_TRANSITIONS[StreamStatus.ENDED] = frozenset({StreamStatus.LIVE})
