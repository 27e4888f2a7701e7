"""Secrets that strangers could guess or read, and the addresses that clients are given."""

import ipaddress
import math
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from controller.checking.findings import Finding, fail, ok, warn
from controller.secrets_file import LEAST_BYTES, SECRETS_FILE

_LEAST_BITS = 96.0
_MAKE_ONE = "Set it to the output of `openssl rand -base64 48`, or leave it empty."


class SecretsCheck:
    """The two secrets as configured; empty ones are those of the data folder."""

    def __init__(self, auth_secret: str, key_secret: str, data_dir: Path) -> None:
        self._configured = {"GOLIVE_AUTH_SECRET": auth_secret, "GOLIVE_KEY_SECRET": key_secret}
        self._file = data_dir / SECRETS_FILE

    async def run(self) -> Sequence[Finding]:
        """What is wrong with each, or that all is well."""
        wrong = [*self._weak(), *self._readable()]
        return wrong or [ok("secrets", "long enough, and nobody else's to read")]

    def _weak(self) -> Iterator[Finding]:
        for name, secret in self._configured.items():
            if secret and len(secret.encode()) < LEAST_BYTES:
                yield fail("secrets", f"{name} has fewer than {LEAST_BYTES} bytes", _MAKE_ONE)
            elif secret and entropy_bits(secret) < _LEAST_BITS:
                yield fail("secrets", f"{name} can be guessed: it repeats itself", _MAKE_ONE)

    def _readable(self) -> Iterator[Finding]:
        if self._file.exists():
            mode = stat.S_IMODE(self._file.stat().st_mode)
            if mode & 0o077:
                yield fail(
                    "secrets",
                    f"{self._file} can be read by others (mode {mode:o})",
                    f"Run `chmod 600 {self._file}`, and consider the secrets known.",
                )


def entropy_bits(secret: str) -> float:
    """An upper bound of what a guesser has to find out, from how often each character comes."""
    counts = Counter(secret)
    per_character = -sum(n / len(secret) * math.log2(n / len(secret)) for n in counts.values())
    return per_character * len(secret)


class PublicUrlCheck:
    """GOLIVE_PUBLIC_URL and GOLIVE_RTMP_URL, as clients will use them."""

    def __init__(
        self, public_url: str, rtmp_url: str, session_factory: Callable[[], aiohttp.ClientSession]
    ) -> None:
        self._public_url = public_url
        self._rtmp_url = rtmp_url
        self._session_factory = session_factory

    async def run(self) -> Sequence[Finding]:
        """One finding for each address."""
        return [*await self._public(), self._rtmp()]

    async def _public(self) -> list[Finding]:
        url = urlsplit(self._public_url)
        if url.scheme not in {"http", "https"} or not url.hostname or url.path or url.query:
            return [
                fail(
                    "public URL",
                    "GOLIVE_PUBLIC_URL is not scheme, host and port alone",
                    "Set it to an address such as https://live.example.com.",
                )
            ]
        found = []
        if is_this_host(url.hostname):
            found.append(
                warn(
                    "public URL",
                    f"{self._public_url} is this machine: nobody else can watch",
                    "Set GOLIVE_PUBLIC_URL to the address that viewers use.",
                )
            )
        elif url.scheme == "http":
            found.append(
                warn(
                    "public URL",
                    f"{self._public_url}: tokens and chat can be read on the way",
                    "Set up TLS (docs/tls.md) and let GOLIVE_PUBLIC_URL begin with https://.",
                )
            )
        reason = await self._unreachable()
        if reason:
            found.append(
                warn(
                    "public URL",
                    f"{self._public_url}/healthz does not answer as golive does ({reason})",
                    "Start golive and its nginx, and see that the name leads to this machine.",
                )
            )
        return found or [ok("public URL", f"{self._public_url} answers")]

    async def _unreachable(self) -> str:
        """Why not; empty when it answers."""
        try:
            async with (
                self._session_factory() as session,
                session.get(f"{self._public_url}/healthz") as answer,
            ):
                return "" if answer.status == HTTPStatus.OK else f"status {answer.status}"
        except aiohttp.ClientConnectorCertificateError:
            return "its certificate is not trusted"
        except (aiohttp.ClientError, TimeoutError) as error:
            return type(error).__name__

    def _rtmp(self) -> Finding:
        url = urlsplit(self._rtmp_url)
        if url.scheme not in {"rtmp", "rtmps"} or not url.hostname or len(url.path) < 2:  # noqa: PLR2004
            return fail(
                "RTMP URL",
                "GOLIVE_RTMP_URL is no address that an encoder takes",
                "Set it to an address such as rtmps://live.example.com/live.",
            )
        if url.scheme == "rtmp" and not is_this_host(url.hostname):
            return warn(
                "RTMP URL",
                f"{self._rtmp_url}: the stream key can be read on the way",
                "Set up RTMPS (docs/tls.md) and let GOLIVE_RTMP_URL begin with rtmps://.",
            )
        return ok("RTMP URL", self._rtmp_url)


def is_this_host(host: str) -> bool:
    """Whether the name or address is loopback."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
