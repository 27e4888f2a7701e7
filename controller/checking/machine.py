"""Which checks a configuration calls for."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from controller.app import Addresses
from controller.checking.clock_check import check_clock
from controller.checking.disk_check import DiskCheck
from controller.checking.findings import Check, Finding, fail
from controller.checking.identity_check import PublicUrlCheck, SecretsCheck
from controller.checking.nginx_check import NginxCheck, NginxWanted
from controller.checking.port_check import PortCheck, PortWanted
from controller.checking.processes import listeners_of, nginx_processes
from controller.checking.rtmp_rules import RtmpExpectations
from controller.checking.store_checks import (
    BucketCheck,
    DatabaseCheck,
    KeySetCheck,
    RedisCheck,
    bounded_session,
)
from controller.composition.objects import private_s3_settings, s3_settings
from controller.dev.prerequisites import search_path
from controller.errors import ConfigurationError
from controller.settings import Settings
from controller.stores.opening import database_url

_DAEMON = ("golive", "python")


def checks_for(settings: Settings, nginx_configs: Sequence[Path]) -> list[Check]:
    """All that these settings need; `nginx_configs` may name nginx's files."""
    addresses = Addresses.of(settings)
    nginx = NginxCheck(
        _nginx_wanted(settings, addresses, nginx_configs), search_path(), nginx_processes
    )
    secrets = SecretsCheck(
        settings.auth_secret.get_secret_value(),
        settings.key_secret.get_secret_value(),
        settings.data_dir,
    )
    urls = PublicUrlCheck(settings.public_url, settings.rtmp_url, bounded_session)
    ports = PortCheck(_ports(settings, addresses), listeners_of)
    url = database_url(settings.database_url.get_secret_value(), settings.data_dir)
    checks = [
        Check("nginx", nginx.program),
        Check("nginx configuration", nginx.configuration),
        Check("port", ports.run),
        Check("disk", DiskCheck(_folders(settings), settings.space_steps_pct).run),
        Check("clock", check_clock),
        Check("database", DatabaseCheck(url).run),
        Check("secrets", secrets.run),
        Check("public URL", urls.run),
    ]
    redis_url = settings.redis_url.get_secret_value()
    if redis_url:
        checks.append(Check("redis", RedisCheck(redis_url).run))
    if settings.auth_jwks_url:
        checks.append(Check("auth", KeySetCheck(settings.auth_jwks_url, bounded_session).run))
    return [*checks, *_buckets(settings)]


def _nginx_wanted(settings: Settings, addresses: Addresses, given: Sequence[Path]) -> NginxWanted:
    return NginxWanted(
        given=tuple(given),
        folders=(settings.data_dir.absolute() / "run",),
        rtmp=RtmpExpectations(
            hook_listen="" if addresses.hooks.startswith("fd:") else addresses.hooks,
            spool=settings.spool_folder if settings.spool else None,
        ),
        addresses=tuple(a for a in (addresses.http, addresses.hooks) if not a.startswith("fd:")),
        public_host=urlsplit(settings.public_url).hostname or "",
        log_folder=settings.data_dir.absolute() / "logs",
    )


def _ports(settings: Settings, addresses: Addresses) -> list[PortWanted]:
    """The daemon's own, and the one on which its workers reach nginx-rtmp."""
    pull = urlsplit(settings.rtmp_pull_url)
    wanted = [
        PortWanted(addresses.http, "HTTP", _DAEMON, "GOLIVE_HTTP_LISTEN"),
        PortWanted(addresses.hooks, "hooks", _DAEMON, "GOLIVE_HOOK_LISTEN"),
        PortWanted(
            f"{pull.hostname or '127.0.0.1'}:{pull.port or 1935}",
            "RTMP",
            ("nginx",),
            "GOLIVE_RTMP_PULL_URL",
        ),
    ]
    if settings.metrics_listen:
        wanted.append(
            PortWanted(settings.metrics_listen, "metrics", _DAEMON, "GOLIVE_METRICS_LISTEN")
        )
    return [each for each in wanted if not each.address.startswith("fd:")]


def _folders(settings: Settings) -> dict[str, Path]:
    folders = {"data": settings.data_dir.absolute()}
    if settings.spool:
        folders["spool"] = settings.spool_folder
    if settings.store_url.startswith("file://"):
        folders["store"] = Path(unquote(urlsplit(settings.store_url).path))
    return folders


def _buckets(settings: Settings) -> list[Check]:
    if not settings.bucket_url:
        return []
    try:
        public, private = s3_settings(settings), private_s3_settings(settings)
    except ConfigurationError as error:
        return [Check("bucket", _misconfigured(error.detail))]
    checks = [BucketCheck("GOLIVE_STORE_URL", public, bounded_session)]
    if private is not None:
        checks.append(BucketCheck("GOLIVE_PRIVATE_STORE_URL", private, bounded_session))
    return [Check("bucket", check.run) for check in checks]


def _misconfigured(reason: str) -> Callable[[], Awaitable[Sequence[Finding]]]:
    async def run() -> Sequence[Finding]:
        return [fail("bucket", reason, "Mend these settings.")]

    return run
