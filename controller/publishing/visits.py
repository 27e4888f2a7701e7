"""The publications that this daemon serves, by every name under which they are asked for."""

import asyncio
from dataclasses import dataclass, field
from uuid import UUID

from controller.domain.publications import Publication
from ingest import RecordingPlan


@dataclass(slots=True)
class Visit:
    """A publication and what the hooks wait for; `joined` is set once our puller has asked to
    play it. `turn` is held by whoever carries out what its session told, in that order."""

    publication: Publication
    plan: RecordingPlan
    joined: asyncio.Event = field(default_factory=asyncio.Event)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def stream_id(self) -> UUID:
        """The stream that is visited."""
        return self.publication.stream_id

    @property
    def name(self) -> str:
        """The internal name in nginx."""
        return self.publication.internal_name


class Visits:
    """At most one visit a stream."""

    def __init__(self) -> None:
        self._by_stream: dict[UUID, Visit] = {}

    def add(self, visit: Visit) -> None:
        """Remember a visit."""
        self._by_stream[visit.stream_id] = visit

    def remove(self, visit: Visit) -> None:
        """Forget a visit; a later one of the same stream stays."""
        if self._by_stream.get(visit.stream_id) is visit:
            del self._by_stream[visit.stream_id]

    def streams(self) -> set[UUID]:
        """The streams that are visited."""
        return set(self._by_stream)

    def of_stream(self, stream_id: UUID) -> Visit | None:
        """The stream's visit."""
        return self._by_stream.get(stream_id)

    def named(self, internal_name: str) -> Visit | None:
        """The visit under this name in nginx."""
        return next((v for v in self._by_stream.values() if v.name == internal_name), None)

    def of_client(self, client_id: str, address: str) -> Visit | None:
        """The visit of this nginx client. Names play no part: a refused second publisher leaves
        with the first one's."""
        for visit in self._by_stream.values():
            publisher = visit.publication.publisher
            if (publisher.nginx_client_id, publisher.client_address) == (client_id, address):
                return visit
        return None
