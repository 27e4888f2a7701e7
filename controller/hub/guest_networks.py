"""The network that a guest comes from, as a keyed hash: enough to ban it, nothing to know it by.

A class is an IPv4 /24 or an IPv6 /64, about one household, office or cell. Neither the address
nor the class is kept anywhere, only an HMAC of the class under a key of this installation's own.
"""

import hmac
import ipaddress
from hashlib import sha256

NETWORK_PREFIX = "net-"
_SHOWN_CHARACTERS = 20
_IPV4_BITS = 24
_IPV6_BITS = 64


class GuestNetworks:
    """Names network classes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def network_of(self, address: str) -> str | None:
        """The name of the address' network class; None for what is no address."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return None
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        bits = _IPV6_BITS if isinstance(parsed, ipaddress.IPv6Address) else _IPV4_BITS
        without_zone = str(parsed).partition("%")[0]
        network = ipaddress.ip_network(f"{without_zone}/{bits}", strict=False)
        named = hmac.new(self._key, network.network_address.packed, sha256).hexdigest()
        return f"{NETWORK_PREFIX}{named[:_SHOWN_CHARACTERS]}"
