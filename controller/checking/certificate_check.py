"""The certificates that nginx is set up with: there, in force, with their key, for our name."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from controller.checking.findings import Finding, fail, warn
from controller.checking.http_rules import certificates
from controller.checking.nginx_reader import Directive

SUBJECT = "certificate"
_SOON = dt.timedelta(days=14)


def certificate_findings(main: Directive, public_host: str) -> Iterator[Finding]:
    """What is wrong with each; nothing when all is well."""
    for certificate, key in certificates(main):
        if certificate.value.startswith(("data:", "$")) or "$" in certificate.value:
            continue  # chosen per connection
        yield from _pair(certificate, key, public_host)


def _pair(certificate: Directive, key: Directive, public_host: str) -> Iterator[Finding]:
    path = Path(certificate.value)
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())[0]
        private = load_pem_private_key(Path(key.value).read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        yield fail(
            SUBJECT,
            f"{certificate.place}: {path} or its key cannot be used ({type(error).__name__})",
            "Put a PEM certificate and its key there, readable by nginx.",
        )
        return
    as_bytes = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if found.public_key().public_bytes(*as_bytes) != private.public_key().public_bytes(*as_bytes):
        yield fail(
            SUBJECT,
            f"{key.place}: {key.value} is not the key of {path}",
            "Put the key there that the certificate was made with.",
        )
    yield from _in_force(path, found)
    if public_host and not _is_for(found, public_host):
        yield fail(
            SUBJECT,
            f"{path} is not for {public_host}, and clients refuse it",
            "Have a certificate made for the host of GOLIVE_PUBLIC_URL.",
        )


def _in_force(path: Path, certificate: x509.Certificate) -> Iterator[Finding]:
    left = certificate.not_valid_after_utc - dt.datetime.now(dt.UTC)
    remedy = "Renew it, and reload the HTTP nginx (the RTMP one keeps running)."
    if left < dt.timedelta(0):
        yield fail(SUBJECT, f"{path} has expired", remedy)
    elif left < _SOON:
        yield warn(SUBJECT, f"{path} expires in {left.days} days", remedy)


def _is_for(certificate: x509.Certificate, host: str) -> bool:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    hosts = [*names.get_values_for_type(x509.DNSName)]
    hosts += map(str, names.get_values_for_type(x509.IPAddress))
    wildcard = f"*.{host.partition('.')[2]}"
    return host.lower() in {name.lower() for name in hosts} or wildcard in hosts
