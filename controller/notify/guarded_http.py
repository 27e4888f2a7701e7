"""HTTP to addresses that strangers have given: never into our own networks, never on and on.

The check is made where the connection is, with the address that it goes to: a name that resolves
to another address a moment later, a literal address and a redirect (which is not followed anyway)
all come past it. Nothing of an answer is believed but its status and how long to stay away.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from ssl import SSLContext, SSLError

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType
from yarl import URL

Network = IPv4Network | IPv6Network
_NAT64 = IPv6Network("64:ff9b::/96")
_MOST_ANSWER_BYTES = 16_384
_MOST_CONNECTIONS = 256
_LOOKED_UP_AT_ONCE = 32
_ABSENT_MOST_S = 7 * 86_400.0


class AddressRefused(OSError):
    """A connection into a network that nothing may be sent to."""

    def __init__(self) -> None:
        super().__init__("the address is not a public one")


class RequestFailed(Exception):
    """There was no answer; `reason` is one of a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: the body's beginning only."""

    status: int
    retry_after_s: float
    body: bytes


class AddressGuard:
    """Says which addresses may be connected to: public ones, and the allowed networks."""

    def __init__(self, allowed: Sequence[Network] = ()) -> None:
        self._allowed = allowed

    def allows(self, address: str) -> bool:
        """Whether a connection to the address may be made."""
        ip = ip_address(address.partition("%")[0])
        inner = _inner(ip)
        if any(one in network for network in self._allowed for one in {ip, inner}):
            return True
        return all(one.is_global and not one.is_multicast for one in (ip, inner))

    def make_socket(self, addr_info: AddrInfoType) -> socket.socket:
        """The socket for a connection that is about to be made; AddressRefused."""
        family, kind, protocol, _, address = addr_info
        if not self.allows(str(address[0])):
            raise AddressRefused
        return socket.socket(family, kind, protocol)


class PatientResolver(AbstractResolver):
    """Looks names up in threads of its own: name servers that do not answer hold up each other,
    and nothing else.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOKED_UP_AT_ONCE, thread_name_prefix="names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """See `AbstractResolver.resolve`."""
        look = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Forget what is still being looked up."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _inner(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None) or ip


@asynccontextmanager
async def open_session(
    guard: AddressGuard | None, tls: SSLContext | None = None
) -> AsyncIterator[aiohttp.ClientSession]:
    """A session that keeps no cookies and uses no proxy; without a guard for the operator's own
    choice of addresses.
    """
    resolver = PatientResolver()
    connector = aiohttp.TCPConnector(
        limit=_MOST_CONNECTIONS,
        resolver=resolver,
        socket_factory=None if guard is None else guard.make_socket,
        ssl=tls if tls is not None else True,
    )
    try:
        async with aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        ) as session:
            yield session
    finally:
        await resolver.close()


async def post(
    session: aiohttp.ClientSession,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    timeout_s: float,
) -> Reply:
    """POST, in `timeout_s` from name look-up to answer; RequestFailed. Redirects come back."""
    try:
        async with (
            asyncio.timeout(timeout_s),
            session.post(
                URL(url, encoded=True),
                data=body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=timeout_s),
            ) as response,
        ):
            beginning = await _beginning(response)
            return Reply(response.status, _retry_after_s(response), beginning)
    except TimeoutError as error:
        raise RequestFailed("timeout") from error
    except aiohttp.ClientConnectorError as error:
        refused = isinstance(error.os_error, AddressRefused)
        failed = "tls_failed" if isinstance(error.os_error, SSLError) else "connection_failed"
        raise RequestFailed("address_refused" if refused else failed) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise RequestFailed("connection_failed") from error


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """As much of the body as is looked at; a longer one costs its connection."""
    found = bytearray()
    while len(found) < _MOST_ANSWER_BYTES:
        some = await response.content.read(_MOST_ANSWER_BYTES - len(found))
        if not some:
            return bytes(found)
        found += some
    response.close()
    return bytes(found)


def _retry_after_s(response: aiohttp.ClientResponse) -> float:
    """Seconds, given as such or as a date (RFC 9110, 10.2.3); 0 when nothing is asked for."""
    word = response.headers.get("Retry-After", "").strip()
    if word.isascii() and word.isdecimal() and len(word) < 10:  # noqa: PLR2004
        asked_s = float(word)
    else:
        try:
            asked_s = parsedate_to_datetime(word).timestamp() - time.time()
        except ValueError:
            return 0.0
    return min(max(0.0, asked_s), _ABSENT_MOST_S)
