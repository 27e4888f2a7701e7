"""Client data as players send it, and what they should not send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.hub.cmcd import MOST_CHARACTERS, ClientData, read_request, read_text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        # hls.js, version 1.
        (
            'br=4500,bl=2000,d=2000,mtp=25400,ot=v,rtp=22500,sf=h,sid="6e2fb550",st=l,su,tb=4500',
            ClientData("6e2fb550", is_startup=True, bitrate_kbps=4500, duration_ms=2000),
        ),
        ('bs,d=333,ot=av,br=800,sid="a"', ClientData("a", False, True, 800, 333)),
        # The keys' order and space do not matter; a quoted comma is no separator.
        ('cid="a,su,b" , sid="s" ,com.example-x="\\"bs,"', ClientData("s")),
        # Sound by itself has another bit rate, and starves with the pictures.
        ('bs,bsd=100,d=2000,br=128,ot=a,sid="s"', ClientData("s")),
        ('d=10,br=1,ot=i,sid="s"', ClientData("s")),
        # Version 2: inner lists and durations.
        (
            'br=(5000;v),d=1000,msd=1250,ot=v,sid="s",v=2',
            ClientData("s", False, False, 5000, 1000, 1250),
        ),
        ('bs,bsd=(700),sid="s",v=2', ClientData("s", False, True, starved_ms=700)),
        ("sid=bare", ClientData("bare")),
        ('br=fast,d=-3,ot=v,sid="s"', ClientData("s")),
        ("br=1000,d=2000,ot=v", None),
        ('sid=""', None),
        (f'sid="{"x" * 65}"', None),
        ("", None),
        ('sid="s",' + "x" * MOST_CHARACTERS, None),
    ],
)
def test_what_a_request_says(text, told):
    assert read_text(text) == told


def test_in_the_query_or_in_the_headers():
    headers = {
        "CMCD-Request": "bl=2000,su",
        "CMCD-Object": "br=3000,d=2000,ot=v",
        "CMCD-Status": "bs",
        "CMCD-Session": 'sid="s"',
    }
    whole = ClientData("s", True, True, 3000, 2000)
    assert read_request({}, headers) == whole
    assert read_request({}, {"CMCD-Session": 'sid="s"'}) == ClientData("s")
    assert read_request({"CMCD": 'sid="q",su'}, headers) == ClientData("q", True)
    assert read_request({}, {"CMCD-Object": "br=1"}) is None
    assert read_request({"session": "x"}, {}) is None


@given(st.text(max_size=300))
def test_nonsense_is_read_or_not_and_nothing_else(text):
    read_text(text)
    read_text(f'sid="s",{text}')
