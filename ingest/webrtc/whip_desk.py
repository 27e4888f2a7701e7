"""Publishers over WebRTC as the daemon sees them: a worker for each."""

import asyncio
import secrets
from dataclasses import dataclass
from pathlib import Path

import structlog

from ingest.webrtc.errors import NoSuchWebRtcSession
from ingest.webrtc.etags import etag_of
from ingest.webrtc.messages import Begin, Closed, Connected, Figures, Record, SourceLost
from ingest.webrtc.settings import WebRtcBounds, WebRtcNetwork
from ingest.webrtc.whep_desk import PeerSession
from ingest.webrtc.worker_link import WHIP_MODULE, WorkerLink


@dataclass(slots=True)
class _Publisher:
    session: str
    link: WorkerLink | None = None
    publication: str = ""
    is_connected: bool = False


class WhipDesk:
    """Answers publishers' offers and writes what they send into spool files."""

    def __init__(self, network: WebRtcNetwork, bounds: WebRtcBounds) -> None:
        self._network = network
        self._bounds = bounds
        self._publishers: dict[str, _Publisher] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger()
        self.opened = 0

    @property
    def publishers(self) -> int:
        """Sessions that are connected."""
        return sum(each.is_connected for each in self._publishers.values())

    @property
    def workers(self) -> list[int]:
        """Process ids."""
        return [each.link.pid for each in self._publishers.values() if each.link is not None]

    async def answer(self, offer: str) -> PeerSession:
        """A session for a publisher who has been let in; nothing is recorded yet.

        Raises WebRtcRefused.
        """
        publisher = _Publisher(secrets.token_urlsafe(16))
        self._publishers[publisher.session] = publisher
        begin = Begin(
            network=self._network,
            connect_s=self._bounds.connect_s,
            silence_s=self._bounds.silence_s,
        )
        try:
            publisher.link = await WorkerLink.spawn(
                WHIP_MODULE,
                begin,
                lambda told: self._told(publisher, told),
                lambda: self._lost(publisher),
            )
            answer = await publisher.link.answer(publisher.session, offer)
        except BaseException:
            self._dismiss(publisher)
            raise
        return PeerSession(publisher.session, etag_of(publisher.session), answer)

    def record(self, session: str, publication: str, spool: Path) -> None:
        """Write what the publisher sends to `spool`. Raises NoSuchWebRtcSession."""
        publisher = self._publisher(session)
        publisher.publication = publication
        self.opened += 1
        self._link(publisher).tell(Record(spool=str(spool)))

    async def trickle(self, session: str, fragment: str) -> None:
        """More candidates. Raises WebRtcRefused."""
        await self._link(self._publisher(session)).trickle(session, fragment)

    def hangup(self, session: str) -> None:
        """End the session. Raises NoSuchWebRtcSession."""
        self._link(self._publisher(session)).hangup(session)

    def publication(self, session: str) -> str:
        """The name of what the session publishes. Raises NoSuchWebRtcSession."""
        return self._publisher(session).publication

    def is_publishing(self, publication: str) -> bool:
        """Whether a session writes the publication's spool."""
        return self._of(publication) is not None

    def drop(self, publication: str) -> bool:
        """End the session of a publication; False when there is none."""
        publisher = self._of(publication)
        if publisher is None or publisher.link is None:
            return False
        publisher.link.hangup(publisher.session)
        return True

    def figures(self) -> Figures:
        """What the running workers have counted."""
        counted = [one.link.figures for one in self._publishers.values() if one.link is not None]
        return Figures(frames_received=sum(one.frames_received for one in counted))

    async def close(self) -> None:
        """End all workers."""
        for publisher in [*self._publishers.values()]:
            self._dismiss(publisher)
        if self._closing:
            await asyncio.wait(self._closing)

    def _of(self, publication: str) -> _Publisher | None:
        found = (one for one in self._publishers.values() if one.publication == publication)
        return next(found, None)

    def _publisher(self, session: str) -> _Publisher:
        publisher = self._publishers.get(session)
        if publisher is None:
            raise NoSuchWebRtcSession("the session is over, or never was")
        return publisher

    @staticmethod
    def _link(publisher: _Publisher) -> WorkerLink:
        if publisher.link is None:
            raise NoSuchWebRtcSession("the session has not begun")
        return publisher.link

    def _told(self, publisher: _Publisher, message: Connected | Closed | SourceLost) -> None:
        match message:
            case Connected():
                publisher.is_connected = True
            case Closed():
                self._log.info(
                    "whip_closed", publication=publisher.publication, reason=message.reason
                )

    def _lost(self, publisher: _Publisher) -> None:
        self._publishers.pop(publisher.session, None)

    def _dismiss(self, publisher: _Publisher) -> None:
        self._publishers.pop(publisher.session, None)
        if publisher.link is not None:
            task = asyncio.create_task(publisher.link.close(), name="whip-worker-ends")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
