import pytest

from ingest.errors import OverBudget
from ingest.session.admission import Admission, SessionBudget, SessionKind

PASSTHROUGH, PULL = SessionKind.PASSTHROUGH, SessionKind.PULL


@pytest.fixture
def admission():
    return Admission(SessionBudget(total=8, passthrough=1, pull=6))


def test_what_fits_is_let_in_and_what_does_not_is_told_why(admission):
    for name in ("a", "b"):
        admission.enter(name, PASSTHROUGH)
    admission.enter("c", PULL)

    with pytest.raises(OverBudget, match="passthrough session costs 1, and 8 of 8 are used"):
        admission.enter("d", PASSTHROUGH)
    assert (admission.used, admission.refused) == (8, 1)


def test_a_session_that_is_over_makes_room(admission):
    admission.enter("a", PULL)
    admission.leave("a")
    admission.leave("a")

    admission.enter("b", PULL)
    assert admission.used == 6


def test_a_session_that_becomes_another_kind_is_counted_once(admission):
    for name in ("a", "b", "c"):
        admission.enter(name, PASSTHROUGH)

    admission.enter("a", PULL)
    assert admission.used == 8
    with pytest.raises(OverBudget):
        admission.enter("b", PULL)
    assert admission.used == 8


def test_a_session_that_was_on_air_before_is_taken_in_whatever_it_costs(admission):
    """A daemon that restarts turns nobody away, even when its budget has become smaller."""
    for number in range(12):
        admission.enter(str(number), PASSTHROUGH, must=True)

    assert admission.used == 12
    with pytest.raises(OverBudget):
        admission.require_room(PASSTHROUGH)
