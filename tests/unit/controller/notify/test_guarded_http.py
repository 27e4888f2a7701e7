"""Connections into networks that nothing may be sent to."""

import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver

from controller.notify.guarded_http import AddressGuard, RequestFailed, open_session, post
from tests.support.receivers import served

PRIVATE = [
    *("127.0.0.1", "10.0.0.1", "172.16.5.5", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
    *("0.0.0.0", "255.255.255.255", "224.0.0.1", "198.18.0.1", "192.0.2.1"),
    *("::", "::1", "fe80::1%eth0", "fd00::1", "ff02::1", "2001:db8::1"),
    # IPv4 in IPv6's clothes: mapped, NAT64, 6to4.
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1"),
]
PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_nothing_goes_to_private_addresses(address):
    assert not AddressGuard().allows(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_open(address):
    assert AddressGuard().allows(address)


def test_what_the_operator_allows_is_open_and_nothing_beside_it():
    guard = AddressGuard([ip_network("10.20.0.0/16"), ip_network("fd00:1::/32")])
    assert guard.allows("10.20.3.4")
    assert guard.allows("::ffff:10.20.3.4")
    assert guard.allows("fd00:1::5")
    assert not guard.allows("10.21.0.1")
    assert not guard.allows("127.0.0.1")


class Rebinding(AbstractResolver):
    """A name server that answers with one address first, and then with another."""

    def __init__(self, *addresses):
        self.addresses = [*addresses]

    async def resolve(self, host, port=0, family=socket.AF_INET):
        address = self.addresses.pop(0)
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET,
                "proto": 0,
                "flags": 0,
            }
        ]

    async def close(self):
        pass


@pytest.fixture
async def inside():
    """A service in our own network, and how often it was asked."""
    asked = []

    async def answer(request):
        asked.append(request.path)
        return web.Response(body=b"x" * 100_000, headers={"Retry-After": "7"})

    app = web.Application()
    app.router.add_post("/{tail:.*}", answer)
    async with served(app) as port:
        yield port, asked


async def test_a_name_that_changes_its_address_does_not_get_through(inside):
    port, asked = inside
    guard = AddressGuard([ip_network("127.0.0.2/32")])
    # What was looked up when the address was entered does not count, and no cache is believed.
    connector = aiohttp.TCPConnector(
        resolver=Rebinding("127.0.0.2", "127.0.0.1"),
        socket_factory=guard.make_socket,
        use_dns_cache=False,
        force_close=True,
    )
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(RequestFailed, match="connection_failed"):  # nobody listens there
            await post(session, f"http://rebind.test:{port}/", b"", {}, 5.0)
        with pytest.raises(RequestFailed, match="address_refused"):
            await post(session, f"http://rebind.test:{port}/", b"", {}, 5.0)
    assert asked == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.1"]
)
async def test_no_spelling_of_the_loopback_gets_through(inside, host):
    port, asked = inside
    async with open_session(AddressGuard()) as session:
        with pytest.raises(RequestFailed):
            await post(session, f"http://{host}:{port}/", b"", {}, 5.0)
    assert asked == []


async def test_a_long_answer_is_cut_and_what_it_asks_for_is_read(inside):
    port, _ = inside
    async with open_session(AddressGuard([ip_network("127.0.0.0/8")])) as session:
        reply = await post(session, f"http://127.0.0.1:{port}/", b"", {}, 5.0)
    assert (reply.status, reply.retry_after_s, len(reply.body)) == (200, 7.0, 16_384)


@pytest.mark.parametrize("word", ["", "soon", "-5", "1e9", "Wed, 99 Foo 2026"])
async def test_nonsense_in_retry_after_asks_for_nothing(word):
    assert await retry_after_s(word) == 0.0


async def test_retry_after_may_be_a_date():
    soon = datetime.now(UTC) + timedelta(seconds=100)
    assert 60 < await retry_after_s(format_datetime(soon, usegmt=True)) <= 100


async def retry_after_s(word):
    async def answer(_request):
        return web.Response(status=503, headers={"Retry-After": word})

    app = web.Application()
    app.router.add_post("/", answer)
    async with served(app) as port, open_session(None) as session:
        return (await post(session, f"http://127.0.0.1:{port}/", b"", {}, 5.0)).retry_after_s
