"""Telling others: a worker's part, which does it."""

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import version

import aiohttp

from controller.auth.webhook_secrets import WebhookSecrets
from controller.composition.outreach_api import networks, vapid_key
from controller.domain.people import PushKind
from controller.notify.fcm import FcmChannel, FcmTokens, ServiceAccount
from controller.notify.guarded_http import AddressGuard, open_session
from controller.notify.janitor import Janitor
from controller.notify.push_pump import PushChannel, PushPump, PushPumpSettings
from controller.notify.vapid import VapidSigner
from controller.notify.web_push import WebPushChannel
from controller.notify.webhook_pump import WebhookPump, WebhookPumpSettings
from controller.settings import Settings
from controller.stores.opening import Stores


@dataclass(frozen=True, slots=True)
class Outreach:
    """A worker's part in telling others."""

    webhooks: WebhookPump
    pushes: PushPump
    janitor: Janitor

    async def run(self) -> None:
        """Do it until cancelled, or until a part has a fault."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.webhooks.run(), name="webhooks")
            group.create_task(self.pushes.run(), name="notifications")
            group.create_task(self.janitor.run(), name="janitor")


async def build_outreach(
    settings: Settings, stores: Stores, key_secret: bytes, worker: str, stack: AsyncExitStack
) -> Outreach:
    """Over the network as the settings allow; `stack` closes it. Raises ConfigurationError."""
    chance = random.Random()  # noqa: S311 - spreads retries
    to_receivers = await stack.enter_async_context(
        open_session(AddressGuard(networks(settings.webhook_allowed_networks)))
    )
    webhooks = WebhookPump(
        stores.webhook_queue,
        WebhookSecrets(key_secret).open,
        to_receivers,
        worker,
        chance,
        WebhookPumpSettings(timeout_s=settings.webhook_timeout_s),
        f"golive/{version('golive')}",
    )
    channels = await _channels(settings, key_secret, stack)
    pushes = PushPump(stores.notifications, channels, worker, chance, PushPumpSettings())
    janitor = Janitor(
        (stores.webhook_queue.prune, settings.outreach_keep_days),
        (stores.notifications.prune, settings.outreach_keep_days),
        (stores.publications.forget_addresses, settings.addresses_keep_days),
    )
    return Outreach(webhooks, pushes, janitor)


async def _channels(
    settings: Settings, key_secret: bytes, stack: AsyncExitStack
) -> dict[PushKind, PushChannel]:
    watch_url, timeout_s = f"{settings.public_url}/watch", settings.push_timeout_s
    # Users name these addresses.
    guarded = await stack.enter_async_context(
        open_session(AddressGuard(networks(settings.web_push_allowed_networks)))
    )
    signer = VapidSigner(vapid_key(settings, key_secret), _contact(settings))
    channels: dict[PushKind, PushChannel] = {
        PushKind.WEB_PUSH: WebPushChannel(guarded, signer, watch_url, timeout_s)
    }
    if settings.fcm_credentials_file is not None:
        account = ServiceAccount.read(settings.fcm_credentials_file)
        # The operator names these.
        google = await stack.enter_async_context(open_session(None))
        channels[PushKind.FCM] = FcmChannel(
            google,
            FcmTokens(google, account, timeout_s),
            settings.fcm_endpoint,
            account.project_id,
            watch_url,
            timeout_s,
        )
    return channels


async def _guarded(allowed: list[str], stack: AsyncExitStack) -> aiohttp.ClientSession:
    """A session for addresses that strangers name."""
    guard = AddressGuard(networks(allowed))
    return await stack.enter_async_context(open_session(guard))


def _contact(settings: Settings) -> str:
    """Whom push services may write to (RFC 8292, 2.1): `mailto:` or `https:`."""
    is_public = settings.public_url.startswith("https://")
    return settings.web_push_contact or (settings.public_url if is_public else "")
