"""The rooms' figures for Prometheus, read when they are asked for."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.hub.closing import CloseCode
from controller.hub.hub import Hub
from controller.hub.quality import QualityBook
from controller.hub.room_journal import Journal
from controller.hub.rooms import Rooms
from controller.hub.statistics import HubStatistics
from controller.hub.watchers import Watchers


class RoomMetrics(Collector):
    """Sums over the rooms of this daemon; what one stream's room does is the API's to tell."""

    def __init__(
        self,
        hub: Hub,
        rooms: Rooms,
        watchers: Watchers,
        journal: Journal,
        statistics: HubStatistics,
        quality: QualityBook,
        registry: CollectorRegistry,
    ) -> None:
        self._hub = hub
        self._rooms = rooms
        self._watchers = watchers
        self._journal = journal
        self._statistics = statistics
        self._quality = quality
        registry.register(self)

    def describe(self) -> list[Metric]:
        """Nothing is asked before the daemon runs."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures now."""
        yield from self._present()
        yield from self._said()
        yield from self._lost()

    def _present(self) -> Iterator[Metric]:
        opened = self._rooms.all
        connections = len(self._hub.connections)
        viewers = sum(len(one.presence.here) for one in opened)
        for name, text, value in (
            ("connections", "Sockets of all transports.", connections),
            ("open", "Rooms that are open on this daemon.", len(opened)),
            ("viewers", "Viewers with a socket or a player here, each once a room.", viewers),
            ("players", "HLS and DASH players that say who they are.", len(self._watchers)),
        ):
            yield GaugeMetricFamily(f"golive_room_{name}", text, value=value)

    def _said(self) -> Iterator[Metric]:
        counts = self._statistics
        for name, text, value in (
            ("events", "Events that members of rooms were sent.", counts.events),
            ("writes", "Writes to members of rooms, each of one event or more.", counts.writes),
            ("deliveries", "Events in those writes.", counts.deliveries),
            ("reactions", "Reactions that were accepted.", counts.reactions),
            ("coalesced", "Reactions, joins and leaves told as a count.", counts.coalesced),
            ("rate_refused", "Messages and reactions over their rate.", counts.refused),
        ):
            yield CounterMetricFamily(f"golive_room_{name}", text, value=value)
        messages = CounterMetricFamily(
            "golive_room_messages", "Chat messages, by what became of them.", labels=["outcome"]
        )
        messages.add_metric(["said"], counts.messages)
        messages.add_metric(["held"], counts.held)
        yield messages

    def _lost(self) -> Iterator[Metric]:
        counts, players = self._statistics, self._watchers.statistics
        closed = CounterMetricFamily(
            "golive_room_connections_closed",
            "Connections that the server has closed: too_slow are those that did not read.",
            labels=["reason"],
        )
        for code in CloseCode:
            closed.add_metric([code.name.lower()], counts.closed[code])
        yield closed
        dropped = CounterMetricFamily(
            "golive_room_dropped",
            "What did not fit: writes to slow clients, records of figures, lines of the journal, "
            "players beyond the bound, to count and to hear of their playback.",
            labels=["what"],
        )
        dropped.add_metric(["write"], self._hub.undelivered)
        dropped.add_metric(["record"], self._rooms.dropped_records)
        dropped.add_metric(["journal"], self._journal.dropped)
        dropped.add_metric(["player"], players.dropped)
        dropped.add_metric(["playback"], self._quality.statistics.dropped)
        yield dropped
        yield CounterMetricFamily(
            "golive_player_reports",
            "Requests with which players told of their playback (CMCD).",
            value=self._quality.statistics.told,
        )
        yield CounterMetricFamily(
            "golive_room_sessions_refused",
            "Viewing sessions of playlists and beacons that are none of ours.",
            value=players.refused,
        )
