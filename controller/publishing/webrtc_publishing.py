"""Publishing over WebRTC: the same admission as every encoder's, and who may end what."""

import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path

from controller.errors import NotYourSession
from controller.publishing.publish_service import PublishRequest, PublishService
from controller.publishing.refusals import NO_SPOOL, PublishRefused
from ingest import PeerSession, WebRtcRefused, WhipDesk

ENCODER = "WHIP"


@dataclass(frozen=True, slots=True)
class _Owner:
    """Who began a session: a hash of the stream key, never the key."""

    digest: bytes


class WebRtcPublishing:
    """Begins and ends publications over WebRTC.

    spool_dir: where sessions write; None where there is no spool, and then nobody is let in.
    """

    def __init__(self, publishing: PublishService, desk: WhipDesk, spool_dir: Path | None) -> None:
        self._publishing = publishing
        self._desk = desk
        self._spool_dir = spool_dir
        self._owners: dict[str, _Owner] = {}

    async def publish(self, key: str, address: str, offer: str) -> PeerSession:
        """Let a publisher in. Raises PublishRefused or WebRtcRefused."""
        if self._spool_dir is None:
            raise PublishRefused(NO_SPOOL)
        # Before anything is started for it; decided again when it is let in.
        await self._publishing.check(key, address)
        session = await self._desk.answer(offer)
        try:
            name = await self._publishing.publish(
                PublishRequest(
                    key=key,
                    client_id=session.id[:8],
                    address=address,
                    encoder=ENCODER,
                    over_webrtc=True,
                )
            )
            self._desk.record(session.id, name, self._spool_dir / f"{name}.flv")
        except (PublishRefused, WebRtcRefused):
            self._hang_up(session.id)
            raise
        self._forget_old()
        self._owners[session.id] = _Owner(_digest(key))
        return session

    async def trickle(self, key: str, session: str, fragment: str) -> None:
        """More candidates. Raises NotYourSession or WebRtcRefused."""
        self._require_owner(key, session)
        await self._desk.trickle(session, fragment)

    def end(self, key: str, session: str) -> None:
        """End a publication. Raises NotYourSession or WebRtcRefused."""
        self._require_owner(key, session)
        self._hang_up(session)

    def require(self, key: str, session: str) -> None:
        """Raise unless the session is there, and was begun with this key."""
        self._require_owner(key, session)

    def _require_owner(self, key: str, session: str) -> None:
        self._desk.publication(session)
        owner = self._owners.get(session)
        if owner is None or not hmac.compare_digest(owner.digest, _digest(key)):
            raise NotYourSession

    def _hang_up(self, session: str) -> None:
        self._desk.hangup(session)

    def _forget_old(self) -> None:
        """Owners of sessions that are over; there are no more than sessions begun."""
        for session in [*self._owners]:
            try:
                self._desk.publication(session)
            except WebRtcRefused:
                del self._owners[session]


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
