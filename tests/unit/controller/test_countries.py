"""Countries by address, from databases of each make."""

import pytest

from controller.countries import MaxMindCountries, UnknownCountries
from controller.errors import ConfigurationError
from tests.support.geo_database import write_geo_database

NETWORKS = {
    "192.0.2.0/24": {"country": {"iso_code": "DE", "names": {"en": "Germany"}}},
    "198.51.100.0/25": {"country": "FR", "continent": "EU"},
    "198.51.100.128/25": {"country_code": "jp"},
    "203.0.113.7/32": {"registered_country": {"iso_code": "US"}},
    "203.0.113.8/32": {"country": {"iso_code": "nonsense"}},
    "203.0.113.9/32": "no map",
    "2001:db8::/32": {"country": {"iso_code": "BR"}},
}


@pytest.fixture
def countries(tmp_path):
    found = MaxMindCountries(write_geo_database(tmp_path / "countries.mmdb", NETWORKS))
    yield found
    found.close()


@pytest.mark.parametrize(
    ("address", "country"),
    [
        ("192.0.2.200", "DE"),
        ("198.51.100.127", "FR"),
        ("198.51.100.128", "JP"),
        ("203.0.113.7", "US"),
        ("203.0.113.8", None),
        ("203.0.113.9", None),
        ("203.0.113.10", None),
        ("2001:db8:1::1", "BR"),
        ("fe80::1%eth0", None),
        ("::ffff:192.0.2.1", "DE"),
        ("127.0.0.1", None),
        ("unix", None),
        ("", None),
    ],
)
def test_an_address_is_in_a_country_or_nobody_knows(countries, address, country):
    assert countries.of(address) == country


@pytest.mark.parametrize("content", [None, b"", b"not a database", b"\xab\xcd\xefMaxMind.com"])
def test_what_is_no_database_is_a_configuration_error_that_names_the_setting(tmp_path, content):
    file = tmp_path / "countries.mmdb"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="geo_database") as refused:
        MaxMindCountries(file)
    assert str(file) not in refused.value.detail


def test_without_a_database_nobody_knows():
    assert UnknownCountries().of("192.0.2.1") is None
