"""What store tests put into a database."""

from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID, uuid4

from controller.auth.stream_keys import StreamKeyVault
from controller.domain.geography import Position
from controller.domain.people import Identity, Role, UserChanges
from controller.domain.products import Product
from controller.domain.publications import Publication, Publisher, StoredKey
from controller.domain.states import IngestState, StreamStatus
from controller.domain.streams import IdempotentCall, Stream, StreamOptions
from controller.stores.opening import Stores
from tests.http.running_api import FakeClock

VAULT = StreamKeyVault(b"only the store tests know this secret, 32 bytes")
PUBLISHER = Publisher(nginx_client_id="7", client_address="192.0.2.1")


@dataclass
class World:
    """Stores and shorthands for filling them."""

    stores: Stores
    clock: FakeClock
    url: str

    async def user(self, role: Role = Role.BOTH, at: tuple[float, float] | None = None) -> Identity:
        identity = Identity(uuid4(), f"user-{uuid4().hex[:6]}", role)
        await self.stores.users.ensure(identity)
        if at is not None:
            await self.place(identity, *at)
        return identity

    async def place(self, identity: Identity, latitude: float, longitude: float) -> None:
        changes = UserChanges(frozenset({"position"}), position=Position(latitude, longitude))
        await self.stores.users.change(identity.user_id, changes)

    async def product(self, seller: Identity, **changes: object) -> UUID:
        now = self.clock.now()
        product = Product(
            uuid4(),
            seller.user_id,
            "Mug",
            Decimal("12.5"),
            "EUR",
            ("https://x/1.png",),
            True,
            now,
            now,
        )
        kept, _ = await self.stores.products.put(replace(product, **changes))
        return kept.id

    def draft(self, owner: Identity, **options: object) -> tuple[Stream, StoredKey]:
        now = self.clock.now()
        stream = Stream(
            id=uuid4(),
            owner_id=owner.user_id,
            title="Mugs",
            description=None,
            category="kitchen",
            status=StreamStatus.SCHEDULED,
            ingest_state=IngestState.IDLE,
            ingest_state_since=now,
            created_at=now,
            updated_at=now,
            options=StreamOptions(**options),
        )
        return stream, VAULT.issue(stream.id)[1]

    async def stream(self, owner: Identity, *products: UUID, **options: object) -> UUID:
        stream, key = self.draft(owner, **options)
        await self.stores.streams.create(stream, products, key)
        return stream.id

    async def create(
        self, owner: Identity, call: IdempotentCall | None = None, products: tuple[UUID, ...] = ()
    ):
        stream, key = self.draft(owner)
        return await self.stores.streams.create(stream, products, key, call)

    async def live(self, owner: Identity, **options: object) -> UUID:
        stream_id = await self.stream(owner, await self.product(owner), **options)
        await self.stores.streams.go_live(stream_id)
        return stream_id

    async def key_id(self, stream_id: UUID) -> UUID:
        return (await self.stores.keys.active([stream_id]))[stream_id].id

    async def publish(self, stream_id: UUID, name: str | None = None) -> Publication:
        key_id = await self.key_id(stream_id)
        return await self.stores.publications.open(
            stream_id, key_id, name or uuid4().hex, PUBLISHER
        )
