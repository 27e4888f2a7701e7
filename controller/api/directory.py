"""The calls of the directory: people, whom they follow, their devices, their products."""

from controller.api.directory_answers import (
    DeviceAnswer,
    DeviceDeleted,
    DirectoryProduct,
    DirectoryProductPage,
    Following,
    ProductDeleted,
    Profile,
)
from controller.api.registry import Answer, Call
from controller.api.requests import (
    DevicePut,
    FcmDevice,
    Nothing,
    ProductListQuery,
    ProductPut,
    UserPut,
)
from controller.domain.geography import Position
from controller.domain.paging import PageRequest
from controller.domain.people import Device, PushKind, User, UserChanges
from controller.domain.ports import Clock, ProductStore, UserStore
from controller.domain.products import Product
from controller.errors import NotYourProduct, OnlySellersSell


class DirectoryHandlers:
    """From validated calls to the directory's stores and back."""

    def __init__(self, users: UserStore, products: ProductStore, clock: Clock) -> None:
        self._users = users
        self._products = products
        self._clock = clock

    async def put_product(self, call: Call[ProductPut, Nothing]) -> Answer:
        """PUT /products/{product_id}."""
        if not call.caller.role.sells:
            raise OnlySellersSell
        body, now = call.body, self._clock.now()
        product = Product(
            id=call.path["product_id"],
            seller_id=call.caller.user_id,
            title=body.title,
            price=body.price,
            currency=body.currency,
            image_urls=tuple(body.image_urls),
            is_available=body.is_available,
            created_at=now,
            updated_at=now,
        )
        kept, is_new = await self._products.put(product)
        return Answer(show_directory_product(kept), 201 if is_new else 200)

    async def list_products(self, call: Call[Nothing, ProductListQuery]) -> Answer:
        """GET /products."""
        query = call.query
        seller_id = query.seller_id or call.caller.user_id
        if seller_id != call.caller.user_id and not call.caller.is_admin:
            raise NotYourProduct("Not your products")
        page = await self._products.of_seller(seller_id, PageRequest(query.limit, query.cursor))
        items = [show_directory_product(product) for product in page.items]
        next_cursor = page.next and page.next.encode()
        return Answer(DirectoryProductPage(items=items, next_cursor=next_cursor))

    async def delete_product(self, call: Call[Nothing, Nothing]) -> Answer:
        """DELETE /products/{product_id}."""
        product_id = call.path["product_id"]
        await self._products.delete(product_id, call.caller.user_id)
        return Answer(ProductDeleted(id=product_id, deleted=True), message="Product deleted")

    async def follow(self, call: Call[Nothing, Nothing]) -> Answer:
        """PUT /users/{user_id}/follow."""
        user_id = call.path["user_id"]
        await self._users.follow(call.caller.user_id, user_id)
        return Answer(Following(user_id=user_id, following=True))

    async def unfollow(self, call: Call[Nothing, Nothing]) -> Answer:
        """DELETE /users/{user_id}/follow."""
        user_id = call.path["user_id"]
        await self._users.unfollow(call.caller.user_id, user_id)
        return Answer(Following(user_id=user_id, following=False))

    async def get_profile(self, call: Call[Nothing, Nothing]) -> Answer:
        """GET /users/me."""
        return Answer(show_profile(await self._users.get(call.caller.user_id)))

    async def put_profile(self, call: Call[UserPut, Nothing]) -> Answer:
        """PUT /users/me."""
        body, sent = call.body, set(call.body.model_fields_set)
        position = None
        if body.latitude is not None and body.longitude is not None:
            position = Position(body.latitude, body.longitude)
        if "latitude" in sent:
            sent.add("position")
        changes = UserChanges(
            sent=frozenset(sent & {"username", "avatar_url", "position"}),
            username=body.username,
            avatar_url=body.avatar_url,
            position=position,
        )
        user = await self._users.change(call.caller.user_id, changes)
        return Answer(show_profile(user), message="Profile updated")

    async def put_device(self, call: Call[DevicePut, Nothing]) -> Answer:
        """PUT /users/me/devices/{device_id}."""
        target = call.body.root
        if isinstance(target, FcmDevice):
            kind, address = PushKind.FCM, target.token
        else:
            kind, address = PushKind.WEB_PUSH, target.subscription.model_dump_json()
        device = Device(call.path["device_id"], call.caller.user_id, kind, address)
        await self._users.put_device(device)
        return Answer(DeviceAnswer(id=device.id, kind=target.kind))

    async def delete_device(self, call: Call[Nothing, Nothing]) -> Answer:
        """DELETE /users/me/devices/{device_id}."""
        device_id = call.path["device_id"]
        await self._users.delete_device(call.caller.user_id, device_id)
        return Answer(DeviceDeleted(id=device_id, deleted=True))


def show_directory_product(product: Product) -> DirectoryProduct:
    """A product of the directory."""
    return DirectoryProduct(
        id=product.id,
        seller_id=product.seller_id,
        title=product.title,
        price=float(product.price),
        currency=product.currency,
        image_urls=list(product.image_urls),
        is_available=product.is_available,
        created_at=product.created_at,
        updated_at=product.updated_at,
    )


def show_profile(user: User) -> Profile:
    """The caller, as the directory has them."""
    position = user.position
    return Profile(
        id=user.id,
        username=user.username,
        avatar_url=user.avatar_url,
        role=user.role,
        latitude=None if position is None else position.latitude,
        longitude=None if position is None else position.longitude,
    )
