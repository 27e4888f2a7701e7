"""Ids of rehearsals: random, and never those of streams."""

from uuid import RFC_4122, uuid4

from controller.domain.rehearsals import is_rehearsal, new_rehearsal_id


def test_ids_of_rehearsals_and_of_streams_are_told_apart():
    ids = {new_rehearsal_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(map(is_rehearsal, ids))
    assert {one.variant for one in ids} == {RFC_4122}
    assert not any(is_rehearsal(uuid4()) for _ in range(1000))
