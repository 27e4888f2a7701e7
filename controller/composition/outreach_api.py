"""Telling others: the calls that set it up."""

from ipaddress import ip_network
from uuid import uuid4

from controller.api.notification_routes import NotificationHandlers, notification_operations
from controller.api.registry import AnyOperation
from controller.api.webhook_routes import webhook_operations
from controller.api.webhooks import WebhookHandlers
from controller.auth.webhook_secrets import WebhookSecrets
from controller.domain.ports import Clock
from controller.domain.webhook_service import WebhookService
from controller.errors import ConfigurationError
from controller.notify.guarded_http import AddressGuard, Network
from controller.notify.vapid import VapidKey
from controller.settings import Settings
from controller.stores.opening import Stores


def webhook_service(
    settings: Settings, stores: Stores, key_secret: bytes, clock: Clock
) -> WebhookService:
    """The commands on webhooks; ConfigurationError."""
    guard = AddressGuard(networks(settings.webhook_allowed_networks))
    secrets = WebhookSecrets(key_secret)
    return WebhookService(stores.webhooks, secrets, guard.allows, clock, uuid4)


def outreach_operations(
    settings: Settings, stores: Stores, key_secret: bytes, clock: Clock
) -> list[AnyOperation]:
    """The calls about webhooks and notifications; ConfigurationError."""
    notifications = NotificationHandlers(
        stores.streams,
        stores.notifications.status,
        vapid_key(settings, key_secret).public,
        has_fcm=settings.fcm_credentials_file is not None,
    )
    webhooks = WebhookHandlers(webhook_service(settings, stores, key_secret, clock))
    return [*notification_operations(notifications), *webhook_operations(webhooks)]


def vapid_key(settings: Settings, key_secret: bytes) -> VapidKey:
    """The configured key, or the installation's own; ConfigurationError."""
    if settings.web_push_key_file is not None:
        return VapidKey.read(settings.web_push_key_file)
    return VapidKey.derive(key_secret)


def networks(words: list[str]) -> list[Network]:
    """What a setting names; ConfigurationError."""
    try:
        return [ip_network(word) for word in words]
    except ValueError as error:
        raise ConfigurationError(f"not a network: {error}") from None
