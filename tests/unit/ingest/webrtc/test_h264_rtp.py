"""H.264 access units as RTP payloads, read back by aiortc's depacketizer."""

import pytest
from aiortc.codecs.h264 import h264_depayload
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import MalformedMedia
from ingest.webrtc.annex_b import access_unit
from ingest.webrtc.h264_rtp import nal_units, parameter_sets, payloads

SPS, PPS = b"\x67\x42\xc0\x1f\xaa", b"\x68\xce\x3c\x80"
AVCC = b"\x01\x42\xc0\x1f\xff\xe1\x00\x05" + SPS + b"\x01\x00\x04" + PPS


def prefixed(*units: bytes) -> bytes:
    return b"".join(len(unit).to_bytes(4) + unit for unit in units)


def depacketized(made: list[bytes]) -> bytes:
    return b"".join(map(h264_depayload, made))


def annex_b(*units: bytes) -> bytes:
    return b"".join(b"\0\0\0\1" + unit for unit in units)


@given(
    st.lists(
        st.builds(
            lambda kind, body: bytes([0x60 | kind]) + body + b"\x80",
            st.sampled_from([1, 6]),
            st.binary(min_size=1, max_size=6_000),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_what_is_packetized_comes_back_and_every_payload_fits(units):
    made = payloads(nal_units(prefixed(*units)), [], is_key=False)

    assert depacketized(made) == annex_b(*units)
    assert max(map(len, made)) <= 1_200


def test_a_keyframe_brings_the_parameter_sets_that_it_lacks():
    idr = b"\x65" + bytes(50) + b"\x80"

    sets, length_bytes = parameter_sets(AVCC)
    made = payloads(nal_units(prefixed(idr), length_bytes), sets, is_key=True)

    assert depacketized(made) == annex_b(SPS, PPS, idr)


def test_parameter_sets_in_the_stream_stay_as_they_are():
    own = b"\x67\x42\xc0\x1f\xbb"
    idr = b"\x65" + bytes(50) + b"\x80"

    made = payloads(nal_units(prefixed(own, PPS, idr)), [SPS, PPS], is_key=True)

    assert depacketized(made) == annex_b(own, PPS, idr)


def test_delimiters_and_filler_are_left_out():
    picture = b"\x61" + bytes(9) + b"\x80"

    made = payloads(nal_units(prefixed(b"\x09\xf0", picture, b"\x0c\xff")), [], is_key=False)

    assert made == [picture]


@pytest.mark.parametrize("data", [b"\0\0\0\x09abc", b"\xff\xff\xff\xff"])
def test_a_unit_that_ends_behind_its_access_unit_is_refused(data):
    with pytest.raises(MalformedMedia):
        list(nal_units(data))


@pytest.mark.parametrize("cut", [0, 6, 9, len(AVCC) - 1])
def test_an_avcc_that_is_cut_short_is_refused(cut):
    with pytest.raises(MalformedMedia):
        parameter_sets(AVCC[:cut])


def test_an_access_unit_of_annex_b_gives_its_configuration_and_its_picture():
    idr = b"\x65" + b"\x11" * 20 + b"\x80"

    unit = access_unit(annex_b(b"\x09\xf0", SPS, PPS, idr))

    assert unit.is_key
    assert unit.data == prefixed(idr)
    assert parameter_sets(unit.config) == ([SPS, PPS], 4)


def test_a_picture_without_parameter_sets_has_no_configuration():
    unit = access_unit(b"\0\0\1" + b"\x41\x9a\x80" + b"\0\0\0\1" + b"\x41\x9b\x80")

    assert not unit.is_key
    assert unit.config == b""
    assert unit.data == prefixed(b"\x41\x9a\x80", b"\x41\x9b\x80")


@given(st.binary(max_size=200))
def test_any_bytes_are_an_access_unit_or_none(data):
    unit = access_unit(data)

    assert list(nal_units(unit.data)) or not unit.data
