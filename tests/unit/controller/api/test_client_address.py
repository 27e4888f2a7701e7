"""Whose address counts: the client's as far as the proxies between are trusted."""

import pytest

from controller.api.client_address import ClientAddress
from controller.errors import ConfigurationError

TRUSTED = ClientAddress(["127.0.0.1", "::1", "10.0.0.0/8"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),  # a stranger may claim anything
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "198.51.100.7, 203.0.113.9", "203.0.113.9"),  # only the last hop is known
        ("127.0.0.1", "203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("::1", "2001:db8::1", "2001:db8::1"),
        (None, "203.0.113.9", "203.0.113.9"),  # a unix socket
        ("", "203.0.113.9", "203.0.113.9"),
        (None, "", "unix"),
        ("127.0.0.1", "203.0.113.9, junk", "127.0.0.1"),
        ("127.0.0.1", " , ,", "127.0.0.1"),
    ],
)
def test_the_client_is_the_last_hop_that_is_not_trusted(peer, forwarded, client):
    assert TRUSTED.of(peer, forwarded) == client


def test_a_proxy_must_be_an_address():
    with pytest.raises(ConfigurationError, match="trusted_proxies"):
        ClientAddress(["proxy.example"])
