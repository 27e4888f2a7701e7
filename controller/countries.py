"""Which country an address is in: an offline database, read with maxminddb.

Any database in MaxMind's format will do that has a country's ISO 3166-1 code: GeoLite2 and GeoIP2
(Country or City), DB-IP Lite, IPinfo. Addresses are looked up while a connection opens, and not
kept.
"""

import ipaddress
from pathlib import Path
from typing import Any, Protocol

import maxminddb

from controller.errors import ConfigurationError

_CODE_CHARACTERS = 2


class Countries(Protocol):
    """Where addresses are."""

    def of(self, address: str) -> str | None:
        """The country's ISO 3166-1 code; None when it is not known."""
        ...


class UnknownCountries:
    """For an installation without a database."""

    def of(self, address: str) -> str | None:  # noqa: ARG002
        """See `Countries.of`."""
        return None


class MaxMindCountries:
    """A database file; ConfigurationError when it cannot be read. Call `close` at the end."""

    def __init__(self, file: Path) -> None:
        try:
            self._reader = maxminddb.open_database(file)
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            raise ConfigurationError(
                "geo_database cannot be read: it must be a file in MaxMind's format (.mmdb)"
            ) from error

    def of(self, address: str) -> str | None:
        """See `Countries.of`."""
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return None
        if isinstance(parsed, ipaddress.IPv6Address):
            parsed = parsed.ipv4_mapped or parsed
        try:
            record: Any = self._reader.get(parsed)
        except (ValueError, maxminddb.InvalidDatabaseError):
            return None  # an IPv6 address, and a database of IPv4 alone; or a damaged record
        return _code_in(record)

    def close(self) -> None:
        """Close the file."""
        self._reader.close()


def _code_in(record: Any) -> str | None:
    if not isinstance(record, dict):
        return None
    for name in ("country", "registered_country", "country_code"):
        found = record.get(name)
        code = found.get("iso_code") if isinstance(found, dict) else found
        if isinstance(code, str) and len(code) == _CODE_CHARACTERS and code.isalpha():
            return code.upper()
    return None
