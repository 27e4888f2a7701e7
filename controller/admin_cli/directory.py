"""`golive user` and `golive product`."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TypeVar
from uuid import UUID, uuid4

import click
from pydantic import BaseModel, ValidationError

from controller.admin_cli.session import (
    identity_of,
    new_identity,
    require_user,
    settings_for,
    with_stores,
)
from controller.api.fields import Username
from controller.api.requests import ProductPut
from controller.commands.options import EXIT_USAGE, config_option, data_option, fail
from controller.domain.paging import PageRequest
from controller.domain.people import Role, User
from controller.domain.products import Product
from controller.stores.opening import Stores
from controller.system_clock import SystemClock

ModelT = TypeVar("ModelT", bound=BaseModel)

_PAGE = 100


class _Name(BaseModel):
    username: Username


@click.group
def user() -> None:
    """Administer users."""


@user.command("add")
@click.argument("username")
@click.option("--role", type=click.Choice([role.value for role in Role]), default=Role.BOTH.value)
@data_option
@config_option
def add_user(username: str, role: str, data_dir: Path | None, config_file: Path | None) -> None:
    """Add USERNAME, or give them another role; prints their id."""
    _require(lambda: _Name(username=username))

    async def add(stores: Stores) -> UUID:
        known = await stores.users.with_username(username)
        identity = (
            identity_of(known[0], Role(role)) if known else new_identity(username, Role(role))
        )
        await stores.users.ensure(identity)
        return identity.user_id

    click.echo(with_stores(settings_for(data_dir, config_file), add))


@user.command("show")
@click.argument("username")
@data_option
@config_option
def show_user(username: str, data_dir: Path | None, config_file: Path | None) -> None:
    """Show USERNAME (or a user's id)."""

    async def find(stores: Stores) -> User:
        return await require_user(stores, username)

    found = with_stores(settings_for(data_dir, config_file), find)
    click.echo(f"{found.id}\t{found.role}\t{found.username}")


@click.group
def product() -> None:
    """Administer products."""


@product.command("add")
@click.argument("seller")
@click.argument("title")
@click.argument("price")
@click.argument("currency")
@click.option("--image", "images", multiple=True, help="Address of a picture; may be repeated.")
@click.option("--id", "product_id", type=click.UUID, help="Its id.  [default: a new one]")
@data_option
@config_option
def add_product(
    seller: str,
    title: str,
    price: str,
    currency: str,
    images: tuple[str, ...],
    product_id: UUID | None,
    data_dir: Path | None,
    config_file: Path | None,
) -> None:
    """Add or replace a product of SELLER; prints its id."""
    described = _require(lambda: _described(title, price, currency, images))

    async def put(stores: Stores) -> UUID:
        now = SystemClock().now()
        kept, _ = await stores.products.put(
            Product(
                id=product_id or uuid4(),
                seller_id=(await require_user(stores, seller)).id,
                title=described.title,
                price=described.price,
                currency=described.currency,
                image_urls=tuple(described.image_urls),
                is_available=True,
                created_at=now,
                updated_at=now,
            )
        )
        return kept.id

    click.echo(with_stores(settings_for(data_dir, config_file), put))


@product.command("list")
@click.argument("seller")
@data_option
@config_option
def list_products(seller: str, data_dir: Path | None, config_file: Path | None) -> None:
    """List the products of SELLER: id, price, currency, availability, title."""

    async def find(stores: Stores) -> list[Product]:
        seller_id = (await require_user(stores, seller)).id
        found: list[Product] = []
        request: PageRequest | None = PageRequest(_PAGE)
        while request is not None:
            page = await stores.products.of_seller(seller_id, request)
            found += page.items
            request = None if page.next is None else PageRequest(_PAGE, page.next)
        return found

    for item in with_stores(settings_for(data_dir, config_file), find):
        available = "available" if item.is_available else "unavailable"
        click.echo(f"{item.id}\t{item.price}\t{item.currency}\t{available}\t{item.title}")


@product.command("delete")
@click.argument("product_id", type=click.UUID)
@data_option
@config_option
def delete_product(product_id: UUID, data_dir: Path | None, config_file: Path | None) -> None:
    """Take a product out of the directory; past streams keep it."""

    async def delete(stores: Stores) -> None:
        found = await stores.products.get(product_id)
        await stores.products.delete(product_id, found.seller_id)

    with_stores(settings_for(data_dir, config_file), delete)


def _described(title: str, price: str, currency: str, images: tuple[str, ...]) -> ProductPut:
    try:
        amount = Decimal(price)
    except InvalidOperation:
        fail([f"PRICE: {price} is not a number"], EXIT_USAGE)
    return ProductPut(title=title, price=amount, currency=currency, image_urls=[*images])


def _require(make: Callable[[], ModelT]) -> ModelT:
    """The model, or the command's end with a line for each field that is wrong."""
    try:
        return make()
    except ValidationError as error:
        lines = [f"{item['loc'][0]}: {item['msg']}" for item in error.errors()]
        fail(lines, EXIT_USAGE)
