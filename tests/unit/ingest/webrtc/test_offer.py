"""What an SDP offer must have, before a WebRTC stack sees it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.webrtc.errors import FragmentMalformed, OfferMalformed, OfferUnacceptable
from ingest.webrtc.offer import MOST_SDP_BYTES, answer_with, checked_offer, trickled

SESSION = ["v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0"]
ICE = ["a=ice-ufrag:abcd", "a=ice-pwd:0123456789012345678901", "a=fingerprint:sha-256 AA:BB"]
VIDEO = ["m=video 9 UDP/TLS/RTP/SAVPF 96", *ICE, "a=mid:0"]
AUDIO = ["m=audio 9 UDP/TLS/RTP/SAVPF 111", *ICE, "a=mid:1"]


def sdp(*lines: str) -> str:
    return "\r\n".join(lines) + "\r\n"


def test_an_offer_passes_as_it_is():
    text = sdp(*SESSION, *VIDEO, *AUDIO)

    assert checked_offer(text) == text


def test_hidden_hosts_and_the_end_of_candidates_are_left_out():
    hidden = "a=candidate:1 1 udp 2113937151 6fce-aa.local 51000 typ host"
    shown = "a=candidate:2 1 udp 2113937151 192.0.2.7 51000 typ host"

    kept = checked_offer(sdp(*SESSION, *VIDEO, hidden, shown, "a=end-of-candidates"))

    assert kept == sdp(*SESSION, *VIDEO, shown)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        '{"sdp": "v=0"}',
        sdp(*SESSION),
        sdp(*VIDEO),
        sdp(*SESSION, "m=video 9 UDP/TLS/RTP/SAVPF 96", "a=mid:0"),
        sdp(*SESSION, *VIDEO, "a=\x00"),
        sdp(*SESSION, *VIDEO, "not a line"),
        sdp(*SESSION, *VIDEO, *["a=x"] * 2_000),
        sdp(*SESSION, *VIDEO, "a=" + "x" * MOST_SDP_BYTES),
    ],
)
def test_what_is_no_offer_is_refused(text):
    with pytest.raises(OfferMalformed):
        checked_offer(text)


@pytest.mark.parametrize(
    "media",
    [
        [*VIDEO, *VIDEO],
        [*AUDIO, *AUDIO, *VIDEO],
        [*VIDEO, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel"],
    ],
)
def test_more_than_one_picture_and_one_sound_is_refused(media):
    with pytest.raises(OfferUnacceptable):
        checked_offer(sdp(*SESSION, *media))


@given(st.text(max_size=300))
def test_any_text_is_an_offer_or_refused(text):
    with pytest.raises((OfferMalformed, OfferUnacceptable)):
        checked_offer(text)


def test_an_answer_names_the_public_address_too():
    host = "a=candidate:f 1 udp 2130706431 10.0.0.5 50001 typ host"
    six = "a=candidate:g 1 udp 2130706431 fd00::5 50002 typ host"

    answer = answer_with(sdp("v=0", host, six), ("203.0.113.9",))

    public = "a=candidate:f 1 udp 2130706431 203.0.113.9 50001 typ host"
    assert answer == sdp("v=0", host, public, six)


def test_candidates_of_a_fragment_belong_to_their_section():
    fragment = sdp(
        "a=ice-ufrag:abcd",
        "a=ice-pwd:x",
        "m=video 9 UDP/TLS/RTP/SAVPF 0",
        "a=mid:0",
        "a=candidate:2 1 udp 2113937151 192.0.2.7 51000 typ host",
        "a=candidate:1 1 udp 2113937151 6fce-aa.local 51000 typ host",
        "a=end-of-candidates",
    )

    assert trickled(fragment, "abcd") == [
        ("candidate:2 1 udp 2113937151 192.0.2.7 51000 typ host", "0")
    ]


def test_a_fragment_of_another_ice_session_is_a_restart():
    with pytest.raises(ValueError, match="another ICE session"):
        trickled(sdp("a=ice-ufrag:other"), "abcd")


@pytest.mark.parametrize("text", ["", "   ", "{}", "a=\x01"])
def test_what_is_no_fragment_is_refused(text):
    with pytest.raises(FragmentMalformed):
        trickled(text, "abcd")
