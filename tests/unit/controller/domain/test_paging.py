"""Cursors: opaque, exact, and refused when they are not ours."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.paging import CURSOR_PATTERN, Cursor

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - what hypothesis asks for
TIMES = st.datetimes(EPOCH, timezones=st.just(UTC))


@given(TIMES, st.uuids())
def test_a_cursor_comes_back_as_it_was(at, row_id):
    word = Cursor(at, row_id).encode()
    assert CURSOR_PATTERN.fullmatch(word)
    assert Cursor.decode(word) == Cursor(at, row_id)


@given(st.from_regex(CURSOR_PATTERN, fullmatch=True))
def test_every_word_of_the_published_form_is_read(word):
    cursor = Cursor.decode(word)
    assert cursor.at.tzinfo is UTC
    assert isinstance(cursor.id, UUID)


@pytest.mark.parametrize(
    "word", ["", "A", "A" * 31, "A" * 33, "B" + "A" * 31, "A" * 31 + "=", "A" * 31 + "ä"]
)
def test_any_other_word_is_refused(word):
    with pytest.raises(ValueError, match="cursor"):
        Cursor.decode(word)
