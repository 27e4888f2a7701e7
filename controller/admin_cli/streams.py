"""`golive stream`."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import click

from controller.admin_cli.daemon import DaemonRefused, DaemonUnreachable, call_daemon
from controller.admin_cli.session import (
    new_identity,
    require_user,
    settings_for,
    with_stores,
)
from controller.admin_cli.tokens import token_issuer
from controller.commands.options import config_option, data_option, fail
from controller.domain.descriptions import DescribedStream
from controller.domain.paging import PageRequest
from controller.domain.people import Role
from controller.domain.states import StreamStatus
from controller.domain.streams import StatusChange, Stream, StreamFilter
from controller.errors import ControllerError
from controller.stores.opening import Stores

_PAGE = 100
_ADMINISTRATOR = "administrator"


@click.group
def stream() -> None:
    """Administer streams."""


@stream.command("list")
@click.option("--status", type=click.Choice([status.value for status in StreamStatus]))
@click.option("--user", "owner", help="A host's name or id.")
@data_option
@config_option
def list_streams(
    status: str | None, owner: str | None, data_dir: Path | None, config_file: Path | None
) -> None:
    """List streams, newest first: id, status, what the encoder does, host, title."""

    async def find(stores: Stores) -> list[DescribedStream]:
        owner_id = None if owner is None else (await require_user(stores, owner)).id
        which = StreamFilter(None if status is None else StreamStatus(status), None, owner_id)
        everything = new_identity(_ADMINISTRATOR, Role.ADMIN)
        found: list[DescribedStream] = []
        request: PageRequest | None = PageRequest(_PAGE)
        while request is not None:
            page = await stores.catalogue.find(which, everything, request)
            found += page.items
            request = None if page.next is None else PageRequest(_PAGE, page.next)
        return found

    for item in with_stores(settings_for(data_dir, config_file), find):
        shown = item.stream
        click.echo(
            f"{shown.id}\t{shown.status}\t{shown.ingest_state}\t{item.owner.username}\t{shown.title}"
        )


@stream.command("show")
@click.argument("stream_id", type=click.UUID)
@data_option
@config_option
def show_stream(stream_id: UUID, data_dir: Path | None, config_file: Path | None) -> None:
    """Show a stream; never its key."""

    async def find(stores: Stores) -> tuple[DescribedStream, Sequence[StatusChange]]:
        described = await stores.catalogue.describe(stream_id)
        return described, await stores.streams.history(stream_id)

    found, history = with_stores(settings_for(data_dir, config_file), find)
    shown = found.stream
    lines = {
        "id": shown.id,
        "title": shown.title,
        "host": f"{found.owner.username} ({found.owner.id})",
        "category": shown.category,
        "audience": shown.options.audience,
        "status": shown.status,
        "encoder": shown.ingest_state,
        "recording": shown.vod_url,
        "products": len(found.products),
    }
    for name, value in lines.items():
        click.echo(f"{name + ':':<10} {'-' if value is None else value}")
    for change in history:
        by = "" if change.reason is None else f" ({change.reason})"
        click.echo(f"{change.to_status + ':':<10} {change.at}{by}")


@stream.command("cancel")
@click.argument("stream_id", type=click.UUID)
@data_option
@config_option
def cancel_stream(stream_id: UUID, data_dir: Path | None, config_file: Path | None) -> None:
    """Call a scheduled stream off."""

    async def cancel(stores: Stores) -> Stream:
        return await stores.streams.cancel(stream_id)

    click.echo(with_stores(settings_for(data_dir, config_file), cancel).status)


@stream.command("end")
@click.argument("stream_id", type=click.UUID)
@data_option
@config_option
def end_stream(stream_id: UUID, data_dir: Path | None, config_file: Path | None) -> None:
    """End a live stream. The running server is asked, because it holds the encoder."""
    settings = settings_for(data_dir, config_file)
    try:
        issuer = token_issuer(settings)
        bearer = issuer.issue(new_identity(_ADMINISTRATOR, Role.ADMIN))
        answer = asyncio.run(call_daemon(settings, "POST", f"/streams/{stream_id}/end", bearer))
    except (ControllerError, DaemonRefused, DaemonUnreachable) as error:
        fail([str(error)])
    click.echo(f"{answer['status']} after {answer['duration']} s")
