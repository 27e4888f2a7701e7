"""The life of a session, from its table of legal transitions."""

from itertools import pairwise, product

import pytest

from ingest.errors import IllegalTransition
from ingest.session.state import LEGAL, SessionState, check

S = SessionState
FINAL = {S.ENDED, S.FAILED}


def legal(before, after):
    try:
        check(before, after)
    except IllegalTransition:
        return False
    return True


def test_every_state_is_in_the_table():
    assert set(LEGAL) == set(SessionState)


@pytest.mark.parametrize(("before", "after"), [*product(SessionState, SessionState)])
def test_the_check_is_the_table(before, after):
    assert legal(before, after) is (after in LEGAL[before])


def test_the_whole_way_through_is_legal():
    way = [S.REQUESTED, S.CONNECTING, S.PROBING, S.LIVE, S.STALLED, S.LIVE, S.DRAINING, S.ENDED]
    assert all(legal(a, b) for a, b in pairwise(way))


@pytest.mark.parametrize("final", sorted(FINAL))
def test_nothing_comes_after_the_end(final):
    assert LEGAL[final] == frozenset()


@pytest.mark.parametrize("before", sorted(set(SessionState) - FINAL))
def test_any_state_before_the_end_can_fail_and_can_still_reach_the_end(before):
    assert S.FAILED in LEGAL[before]
    reached, front = set(), {before}
    while front:
        reached |= front
        front = {after for state in front for after in LEGAL[state]} - reached
    assert S.ENDED in reached


@pytest.mark.parametrize("before", [S.CONNECTING, S.PROBING, S.LIVE, S.STALLED])
def test_a_worker_that_died_starts_over(before):
    assert S.CONNECTING in LEGAL[before]


def test_nothing_goes_back_to_requested_and_the_end_is_behind_draining():
    assert not any(S.REQUESTED in after for after in LEGAL.values())
    assert {before for before, after in LEGAL.items() if S.ENDED in after} == {S.DRAINING}


def test_an_illegal_step_names_both_states():
    with pytest.raises(IllegalTransition, match=r"from live to requested"):
        check(S.LIVE, S.REQUESTED)
