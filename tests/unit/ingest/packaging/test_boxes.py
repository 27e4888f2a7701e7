"""Boxes are written with the size that they have, and walked without trust."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import MalformedMedia
from ingest.packaging.boxes import box, find, full_box, walk

KINDS = st.binary(min_size=4, max_size=4)


def test_a_box_is_its_size_its_kind_and_its_payload():
    assert box(b"free", b"ab", b"c") == b"\0\0\0\x0bfreeabc"


def test_a_full_box_has_version_and_flags_before_its_payload():
    assert full_box(b"tfdt", 1, 0x020304, b"z") == b"\0\0\0\x0dtfdt\x01\x02\x03\x04z"


@given(st.lists(st.tuples(KINDS, st.binary(max_size=40)), max_size=8))
def test_what_was_written_is_found_again_in_file_order(boxes):
    data = b"".join(box(kind, payload) for kind, payload in boxes)
    assert [(v.kind, data[v.payload : v.end]) for v in walk(data)] == boxes


def test_a_box_of_64_bit_size_is_walked():
    large = b"\0\0\0\x01mdat" + (20).to_bytes(8, "big") + b"data"
    (view, after) = walk(large + box(b"free"))
    assert (view.kind, large[view.payload : view.end]) == (b"mdat", b"data")
    assert (after.kind, after.start) == (b"free", 20)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\0\0\0", id="header cut off"),
        pytest.param(b"\0\0\0\x07free", id="smaller than its header"),
        pytest.param(b"\0\0\0\x09free", id="reaches past the end"),
        pytest.param(b"\0\0\0\x01free\0\0", id="64-bit size cut off"),
        pytest.param(b"\0\0\0\x01free" + (15).to_bytes(8, "big"), id="64-bit size too small"),
        pytest.param(box(b"free") + b"\0", id="a stray byte behind a good box"),
    ],
)
def test_a_box_that_cannot_be_is_malformed(data):
    with pytest.raises(MalformedMedia):
        list(walk(data))


@given(st.binary(max_size=64))
def test_walking_any_bytes_ends_in_boxes_or_in_malformed_media(data):
    try:
        views = list(walk(data))
    except MalformedMedia:
        return
    assert sum(v.end - v.start for v in views) == len(data)


def test_find_descends_and_answers_every_match():
    data = box(b"moov", box(b"trak", box(b"mdia", b"")), box(b"trak", box(b"mdia", b"")))
    assert len(find(data, b"moov", b"trak", b"mdia")) == 2
    assert find(data, b"moov", b"mvex") == []
    assert find(data) == []


def test_find_does_not_descend_into_what_is_no_container():
    with pytest.raises(MalformedMedia, match="not a container"):
        find(box(b"mdat", box(b"moof")), b"mdat", b"moof")
