"""The room: its service, its transports, and what it asks of the rest of the daemon."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from aiohttp import web

from controller.api.client_address import ClientAddress
from controller.auth.derived_keys import derive_key
from controller.composition.access import Access
from controller.composition.media import MediaPlane
from controller.countries import Countries, MaxMindCountries, UnknownCountries
from controller.domain.ports import Clock
from controller.domain.room_ports import Preparation
from controller.hub.endpoint.credentials import Credentials
from controller.hub.endpoint.player_log import PLAYER_LOG, PlayerLog
from controller.hub.endpoint.players import PlayerSessions, WatchingEndpoint
from controller.hub.endpoint.routes import room_routes, watching_routes
from controller.hub.endpoint.socketio import SocketIoEndpoint
from controller.hub.guest_networks import GuestNetworks
from controller.hub.guests import GuestSessions
from controller.hub.limits import HubLimits
from controller.hub.room import Pacer
from controller.hub.room_journal import RoomJournal
from controller.hub.service import RoomCollaborators, RoomService, create_realtime
from controller.hub.viewing_sessions import ViewingSessions
from controller.settings import Settings
from controller.stores.opening import Stores
from controller.stores.quality import SqlQuality
from controller.stores.room import SqlRooms
from ingest import PlayerRequest


@dataclass(frozen=True, slots=True)
class Viewers:
    """Who viewers are that bring no token: guests, their networks, their players."""

    guests: GuestSessions
    networks: GuestNetworks
    sessions: ViewingSessions


def build_viewers(access: Access) -> Viewers:
    """Each under a key of its own."""
    root = access.secrets.keys
    return Viewers(
        GuestSessions(derive_key(root, "anonymous viewers")),
        GuestNetworks(derive_key(root, "networks of anonymous viewers")),
        ViewingSessions(derive_key(root, "viewing sessions")),
    )


def build_room(
    settings: Settings,
    stores: Stores,
    media: MediaPlane,
    preparation: Preparation,
    viewers: Viewers,
    limits: HubLimits,
    clock: Clock,
    pacer: Pacer,
) -> RoomService:
    """Rooms in process, or on Redis when the settings name one."""

    def media_time_s(stream_id: UUID, at: datetime) -> float | None:
        window = media.supervisor.window(str(stream_id))
        return window.media_time_s(at.timestamp()) if window else None

    journal = RoomJournal(settings.data_dir.absolute() / "rooms")
    journal.open()
    given = RoomCollaborators(
        stores.streams,
        stores.users,
        SqlRooms(stores.database, clock),
        preparation,
        clock,
        viewers.sessions,
        SqlQuality(stores.database),
        media_time_s,
        journal,
    )
    realtime = create_realtime(settings.redis_url.get_secret_value(), limits, pacer)
    return RoomService(given, realtime, limits, pacer)


def build_countries(settings: Settings, stack: AsyncExitStack) -> Countries:
    """Of the configured database, if there is one; ConfigurationError."""
    if settings.geo_database is None:
        return UnknownCountries()
    countries = MaxMindCountries(settings.geo_database)
    stack.callback(countries.close)
    return countries


async def open_player_log(
    settings: Settings, room: RoomService, stack: AsyncExitStack
) -> PlayerLog | None:
    """What nginx tells of players; None where it does not stand in front."""
    if not settings.behind_nginx:
        return None
    path = settings.player_log or settings.data_dir.absolute() / "run" / PLAYER_LOG
    log = PlayerLog(path, room.quality)
    stack.push_async_callback(log.close)
    await log.open()
    return log


def player_sessions(
    room: RoomService, viewers: Viewers, settings: Settings, countries: Countries
) -> PlayerSessions:
    """What the media plane asks about players."""
    client_address = ClientAddress(settings.trusted_proxies)

    def country_of(request: PlayerRequest) -> str | None:
        forwarded = request.headers.get("X-Forwarded-For", "")
        return countries.of(client_address.of(request.remote, forwarded))

    return PlayerSessions(room.watchers, viewers.sessions, viewers.guests, country_of, room.quality)


def add_room(
    app: web.Application,
    room: RoomService,
    access: Access,
    viewers: Viewers,
    settings: Settings,
    limits: HubLimits,
    countries: Countries,
) -> SocketIoEndpoint:
    """WebSocket, SSE, Socket.IO, beacons; the answered endpoint is closed before the listeners."""
    client_address = ClientAddress(settings.trusted_proxies)

    def address_of(request: web.Request) -> str:
        forwarded = ",".join(request.headers.getall("X-Forwarded-For", []))
        return client_address.of(request.remote, forwarded)

    credentials = Credentials(
        tokens=access.authenticator,
        guests=viewers.guests,
        networks=viewers.networks,
        address_of=address_of,
        allowed_origins=frozenset(settings.cors_origins),
        country_of=countries.of,
    )
    app.router.add_routes(room_routes(room.hub, credentials, limits))
    watching = WatchingEndpoint(room.hub, room.watchers, viewers.sessions, credentials, limits)
    app.router.add_routes(watching_routes(watching))
    socket_io = SocketIoEndpoint(room.hub, credentials, limits, settings.cors_origins)
    app.router.add_routes(socket_io.routes())
    return socket_io
