"""Who a request really comes from, when it came through proxies that are trusted."""

import ipaddress
from collections.abc import Sequence

from controller.errors import ConfigurationError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

UNIX_PEER = "unix"


class ClientAddress:
    """Reads X-Forwarded-For from the right, as far as the proxies are trusted.

    A peer on a unix socket is a proxy of this host, and trusted.
    """

    def __init__(self, trusted_proxies: Sequence[str]) -> None:
        try:
            self._trusted: list[Network] = [
                ipaddress.ip_network(proxy, strict=False) for proxy in trusted_proxies
            ]
        except ValueError as error:
            raise ConfigurationError("trusted_proxies must be addresses or networks") from error

    def of(self, peer: str | None, forwarded_for: str) -> str:
        """The address of the client behind `peer` (None or empty: a unix socket)."""
        address = peer or UNIX_PEER
        hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
        for hop in reversed(hops):
            if not self._is_trusted(address) or not _is_address(hop):
                break
            address = hop
        return address

    def _is_trusted(self, address: str) -> bool:
        if address == UNIX_PEER:
            return True
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._trusted)


def _is_address(hop: str) -> bool:
    try:
        ipaddress.ip_address(hop)
    except ValueError:
        return False
    return True
