"""`golive webhook`."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import click
from pydantic import BaseModel, ValidationError

from controller.admin_cli.session import new_identity, require_user, settings_for, with_stores
from controller.api.fields import WebAddress
from controller.commands.options import EXIT_USAGE, config_option, data_option, fail
from controller.composition.outreach_api import webhook_service
from controller.domain.paging import PageRequest
from controller.domain.people import Role
from controller.domain.webhook_service import IssuedSecret, NewWebhook, WebhookService
from controller.domain.webhooks import (
    DeliveryState,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from controller.errors import ConfigurationError, InvalidRequest
from controller.secrets_file import load_secrets
from controller.settings import Settings
from controller.stores.opening import Stores
from controller.system_clock import SystemClock

ResultT = TypeVar("ResultT")

_PAGE = 100
_ADMINISTRATOR = new_identity("administrator", Role.ADMIN)
_EVENTS = [event.value for event in WebhookEvent]


class _Address(BaseModel):
    url: WebAddress


@click.group
def webhook() -> None:
    """Administer webhooks: who is told of streams, recordings and purchases."""


@webhook.command("add")
@click.argument("url")
@click.option(
    "--event",
    "events",
    type=click.Choice(_EVENTS),
    multiple=True,
    help="What to tell; may be repeated.  [default: all but notification.queued]",
)
@click.option("--seller", help="Whose streams: a name or id.  [default: every seller's]")
@click.option("--description", default="", help="A note for people.")
@data_option
@config_option
def add_webhook(
    url: str,
    events: tuple[str, ...],
    seller: str | None,
    description: str,
    data_dir: Path | None,
    config_file: Path | None,
) -> None:
    """Set up a webhook at URL; prints its id and its secret, which is not shown again."""
    try:
        _Address(url=url)
    except ValidationError:
        fail(["URL: must be an http or https address"], EXIT_USAGE)
    chosen = tuple(WebhookEvent(event) for event in events)
    told = chosen or tuple(event for event in WebhookEvent if not event.is_global)

    async def add(stores: Stores, service: WebhookService) -> IssuedSecret:
        owner_id = None if seller is None else (await require_user(stores, seller)).id
        return await service.add(owner_id, NewWebhook(url, told, description))

    issued = _with_service(settings_for(data_dir, config_file), add)
    click.echo(f"{issued.endpoint.id}\t{issued.secret}")


@webhook.command("list")
@click.option("--seller", help="A seller's: a name or id.  [default: those of every seller]")
@data_option
@config_option
def list_webhooks(seller: str | None, data_dir: Path | None, config_file: Path | None) -> None:
    """List webhooks, newest first: id, whether it is on, address, events."""

    async def find(stores: Stores, _service: WebhookService) -> list[WebhookEndpoint]:
        owner_id = None if seller is None else (await require_user(stores, seller)).id
        found: list[WebhookEndpoint] = []
        request: PageRequest | None = PageRequest(_PAGE)
        while request is not None:
            page = await stores.webhooks.list(owner_id, request)
            found += page.items
            request = None if page.next is None else PageRequest(_PAGE, page.next)
        return found

    for one in _with_service(settings_for(data_dir, config_file), find):
        state = "on" if one.is_enabled else f"off ({one.disabled_reason or 'by hand'})"
        click.echo(f"{one.id}\t{state}\t{one.url}\t{','.join(one.events)}")


@webhook.command("delete")
@click.argument("webhook_id", type=click.UUID)
@data_option
@config_option
def delete_webhook(webhook_id: UUID, data_dir: Path | None, config_file: Path | None) -> None:
    """Forget a webhook, its log and what is still to be sent."""

    async def delete(_stores: Stores, service: WebhookService) -> None:
        await service.delete(_ADMINISTRATOR, webhook_id)

    _with_service(settings_for(data_dir, config_file), delete)


@webhook.command("rotate")
@click.argument("webhook_id", type=click.UUID)
@data_option
@config_option
def rotate_secret(webhook_id: UUID, data_dir: Path | None, config_file: Path | None) -> None:
    """Make a new secret and print it; for a day the old one signs, too."""

    async def rotate(_stores: Stores, service: WebhookService) -> str:
        return (await service.rotate(_ADMINISTRATOR, webhook_id)).secret

    click.echo(_with_service(settings_for(data_dir, config_file), rotate))


@webhook.command("log")
@click.argument("webhook_id", type=click.UUID)
@click.option("--state", type=click.Choice([state.value for state in DeliveryState]))
@data_option
@config_option
def show_log(
    webhook_id: UUID, state: str | None, data_dir: Path | None, config_file: Path | None
) -> None:
    """Show the last hundred deliveries: id, time, state, tries, event, stream, last answer."""
    which = None if state is None else DeliveryState(state)

    async def find(_stores: Stores, service: WebhookService) -> list[WebhookDelivery]:
        page = await service.log(_ADMINISTRATOR, webhook_id, which, PageRequest(_PAGE))
        return [*page.items]

    for one in _with_service(settings_for(data_dir, config_file), find):
        answer = "-"
        if one.last is not None:
            answer = " ".join(str(word) for word in (one.last.status, one.last.error) if word)
        words = (
            *(one.id, one.created_at.isoformat(timespec="seconds"), one.state, one.attempts),
            *(one.type, one.stream_id, answer),
        )
        click.echo("\t".join(map(str, words)))


@webhook.command("resend")
@click.argument("webhook_id", type=click.UUID)
@click.argument("delivery_id", type=click.UUID, required=False)
@data_option
@config_option
def resend(
    webhook_id: UUID, delivery_id: UUID | None, data_dir: Path | None, config_file: Path | None
) -> None:
    """Send a delivery that is over once more; without DELIVERY_ID all dead letters."""

    async def again(_stores: Stores, service: WebhookService) -> int:
        if delivery_id is None:
            return await service.resend_dead(_ADMINISTRATOR, webhook_id)
        await service.resend(_ADMINISTRATOR, webhook_id, delivery_id)
        return 1

    count = _with_service(settings_for(data_dir, config_file), again)
    click.echo(f"{count} to be sent again")


def _with_service(
    settings: Settings, work: Callable[[Stores, WebhookService], Awaitable[ResultT]]
) -> ResultT:
    try:
        secrets = load_secrets(
            settings.data_dir,
            settings.auth_secret.get_secret_value(),
            settings.key_secret.get_secret_value(),
        )
    except ConfigurationError as error:
        fail([error.detail])

    async def serve(stores: Stores) -> ResultT:
        service = webhook_service(settings, stores, secrets.keys, SystemClock())
        try:
            return await work(stores, service)
        except InvalidRequest as error:
            fail([f"{one.field}: {one.message}" for one in error.errors], EXIT_USAGE)

    return with_stores(settings, serve)
