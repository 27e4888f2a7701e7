"""The composition root: builds every object of the daemon once, and runs them until it is told
to stop. The only place that knows all of them.
"""

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import version

import aiohttp
import structlog

from controller.api.app import ApiDependencies, create_api
from controller.api.client_address import ClientAddress
from controller.api.health import ReadinessCheck
from controller.api.public_urls import PublicUrls
from controller.auth.authenticator import Authenticator
from controller.auth.bearer import BearerTokens, TokenRules
from controller.auth.failure_limit import FailureAllowance, FailureLimiter
from controller.auth.jwks_client import JwksClient
from controller.auth.playback import PlaybackGate, PlaybackTokens
from controller.auth.stream_keys import StreamKeys, StreamKeyVault
from controller.auth.verification_keys import ConfiguredKey, JwksKeys, VerificationKeys
from controller.domain.ports import StreamAnnouncer
from controller.errors import ControllerError
from controller.hooks.nginx_rtmp import create_hooks
from controller.listeners import Listener
from controller.publishing.announcer import LogAnnouncer
from controller.publishing.lifecycle import StreamLifecycle
from controller.publishing.nginx_rtmp import NginxRtmp
from controller.publishing.playback import StreamPlayback
from controller.publishing.publish_service import PublishService
from controller.publishing.recordings import Recordings
from controller.publishing.visits import Visits
from controller.secrets_file import Secrets, load_secrets
from controller.settings import Settings
from controller.stores.opening import Stores, database_url, open_stores
from controller.system_clock import SystemClock
from controller.web.pages import create_web
from ingest import (
    Delivery,
    LocalObjectStore,
    PackagingSettings,
    SessionSupervisor,
    create_delivery,
)
from ingest import SystemClock as MediaClock

EXIT_STOPPED = 0
EXIT_FAILED = 1


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the daemon listens and whom it calls, with the embedded defaults filled in."""

    http: str
    hooks: str
    nginx_control: str

    @classmethod
    def of(cls, settings: Settings) -> "Addresses":
        """From the settings; what they leave open is a socket below the data folder."""
        run = settings.data_dir.absolute() / "run"
        return cls(
            http=settings.http_listen or f"unix:{run}/daemon.sock",
            hooks=settings.hook_listen or f"unix:{run}/hooks.sock",
            nginx_control=settings.nginx_control or f"unix:{run}/nginx-control.sock",
        )


async def serve(settings: Settings, *, ready: Callable[[], None] | None = None) -> int:
    """Run the daemon until SIGINT or SIGTERM; answers the exit status.

    `ready` is called once both listeners answer.
    """
    log = structlog.get_logger()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        async with AsyncExitStack() as stack:
            await _start(settings, stack)
            log.info("daemon_ready", http=Addresses.of(settings).http)
            if ready is not None:
                ready()
            await stop.wait()
            log.info("daemon_stopping")
    except ControllerError as error:
        log.error("daemon_failed", code=error.code, reason=error.detail)  # noqa: TRY400
        return EXIT_FAILED
    return EXIT_STOPPED


async def _start(settings: Settings, stack: AsyncExitStack) -> None:
    """Build everything and open the listeners; `stack` undoes it in reverse."""
    clock = SystemClock()
    secrets = load_secrets(
        settings.data_dir,
        settings.auth_secret.get_secret_value(),
        settings.key_secret.get_secret_value(),
    )
    url = database_url(settings.database_url.get_secret_value(), settings.data_dir)
    stores = open_stores(url, clock)
    stack.push_async_callback(stores.database.close)
    await stores.database.check()
    media = await _media_plane(settings, stores, stack, clock)
    gate = PlaybackGate(
        stores.streams.playback_facts, _playback_tokens(settings, secrets, clock), time.monotonic
    )
    api = create_api(await _api_dependencies(settings, secrets, stores, media, gate, stack, clock))
    delivery = Delivery(
        media.supervisor.window,
        media.supervisor.folder(""),
        StreamPlayback(gate),
        MediaClock(),
        accel_prefix="/_live" if settings.behind_nginx else "",
    )
    api.add_subapp("/live", create_delivery(delivery))
    api.add_routes(create_web(settings.vod_base_url))
    addresses = Addresses.of(settings)
    keys = StreamKeys(StreamKeyVault(secrets.keys), stores.keys)
    publishing = PublishService(keys, stores.publications, media.lifecycle, media.visits)
    await media.supervisor.warm()
    await media.lifecycle.recover()
    for app, address in ((create_hooks(publishing), addresses.hooks), (api, addresses.http)):
        listener = Listener(app, address)
        stack.push_async_callback(listener.close)
        await listener.open()


@dataclass(frozen=True, slots=True)
class _MediaPlane:
    supervisor: SessionSupervisor
    lifecycle: StreamLifecycle
    nginx: NginxRtmp
    visits: Visits
    announcer: StreamAnnouncer


async def _media_plane(
    settings: Settings, stores: Stores, stack: AsyncExitStack, clock: SystemClock
) -> _MediaPlane:
    data = settings.data_dir.absolute()
    nginx = NginxRtmp(Addresses.of(settings).nginx_control)
    stack.push_async_callback(nginx.close)
    supervisor = SessionSupervisor(
        data / "live",
        LocalObjectStore(data / "objects"),
        nginx,
        PackagingSettings(settings.part_target_s, settings.segment_target_s),
        settings.dvr_window_s,
    )
    stack.push_async_callback(supervisor.close)
    recordings = Recordings(stores.streams, supervisor, settings.vod_base)
    stack.push_async_callback(recordings.close)
    visits, announcer = Visits(), LogAnnouncer()
    lifecycle = StreamLifecycle(
        stores.streams,
        stores.publications,
        announcer,
        nginx,
        supervisor,
        recordings,
        visits,
        clock,
        pull_url=settings.rtmp_pull_url,
        spool_dir=data / "spool" if settings.spool else None,
        grace_s=settings.reconnect_grace_s,
    )
    stack.push_async_callback(lifecycle.close)
    return _MediaPlane(supervisor, lifecycle, nginx, visits, announcer)


async def _api_dependencies(
    settings: Settings,
    secrets: Secrets,
    stores: Stores,
    media: _MediaPlane,
    gate: PlaybackGate,
    stack: AsyncExitStack,
    clock: SystemClock,
) -> ApiDependencies:
    tokens = BearerTokens(_token_rules(settings), await _token_keys(settings, secrets, stack))
    failures = FailureLimiter(FailureAllowance(), time.monotonic)

    async def nginx_answers() -> None:
        await media.nginx.names()

    return ApiDependencies(
        streams=stores.streams,
        catalogue=stores.catalogue,
        users=stores.users,
        products=stores.products,
        engagement=stores.engagement,
        keys=StreamKeys(StreamKeyVault(secrets.keys), stores.keys),
        authenticator=Authenticator(tokens, stores.users, failures),
        playback_tokens=_playback_tokens(settings, secrets, clock),
        playback_authorizer=gate,
        publishing=media.lifecycle,
        announcer=media.announcer,
        clock=clock,
        urls=PublicUrls(settings.public_url, settings.rtmp_url, settings.vod_base),
        client_address=ClientAddress(settings.trusted_proxies),
        version=version("golive"),
        cors_origins=settings.cors_origins,
        readiness=[
            ReadinessCheck("database", stores.database.check),
            ReadinessCheck("nginx-rtmp", nginx_answers),
        ],
    )


def _playback_tokens(settings: Settings, secrets: Secrets, clock: SystemClock) -> PlaybackTokens:
    return PlaybackTokens(secrets.keys, settings.playback_token_ttl_s, clock)


def _token_rules(settings: Settings) -> TokenRules:
    return TokenRules(
        algorithm=settings.auth_algorithm,
        leeway_s=settings.auth_leeway_s,
        audience=settings.auth_audience,
        issuer=settings.auth_issuer,
    )


async def _token_keys(
    settings: Settings, secrets: Secrets, stack: AsyncExitStack
) -> VerificationKeys:
    """The issuer's published keys, its configured public key, or the shared secret."""
    if settings.auth_jwks_url:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        fetch = JwksClient(session, settings.auth_jwks_url)
        return JwksKeys(fetch, settings.auth_algorithm, time.monotonic)
    if settings.auth_public_key_file is not None:
        pem = await asyncio.to_thread(settings.auth_public_key_file.read_bytes)
        return ConfiguredKey(pem, settings.auth_algorithm)
    return ConfiguredKey(secrets.auth, settings.auth_algorithm)
