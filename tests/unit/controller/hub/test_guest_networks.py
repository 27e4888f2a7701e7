"""Guests' networks: named alike within a class, nothing of the address in the name."""

import pytest

from controller.hub.guest_networks import GuestNetworks

NETWORKS = GuestNetworks(b"k" * 32)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.7", "203.0.113.250", True),
        ("203.0.113.7", "203.0.112.7", False),
        ("203.0.113.7", "::ffff:203.0.113.9", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
    ],
)
def test_a_class_is_a_24_or_a_64(one, other, same):
    assert (NETWORKS.network_of(one) == NETWORKS.network_of(other)) is same


def test_the_name_is_salted():
    assert NETWORKS.network_of("203.0.113.7") != GuestNetworks(b"o" * 32).network_of("203.0.113.7")


@pytest.mark.parametrize("text", ["", "unix", "203.0.113", "localhost", "203.0.113.7:80"])
def test_what_is_no_address_has_no_network(text):
    assert NETWORKS.network_of(text) is None
