"""Webhooks on one screen."""

from controller.api.registry import AnyOperation, Operation
from controller.api.webhooks import (
    DeliveryAnswer,
    DeliveryListQuery,
    DeliveryPage,
    Resent,
    WebhookAnswer,
    WebhookCreate,
    WebhookCreated,
    WebhookDeleted,
    WebhookHandlers,
    WebhookListQuery,
    WebhookPage,
    WebhookSecretAnswer,
    WebhookUpdate,
)
from controller.errors import (
    DeliveryNotFound,
    DeliveryPending,
    InvalidRequest,
    NotYourWebhook,
    OnlyAdministrators,
    OnlySellersSell,
    TooManyWebhooks,
    WebhookNotFound,
)

_TAG = "Webhooks"
_OWN = (WebhookNotFound, NotYourWebhook)
_PATH = "/webhooks/{webhook_id}"
_OWNER = "Its owner, or an administrator"


def webhook_operations(handlers: WebhookHandlers) -> list[AnyOperation]:
    """Every call about webhooks."""
    return [*_endpoints(handlers), *_deliveries(handlers)]


def _endpoints(handlers: WebhookHandlers) -> list[AnyOperation]:
    return [
        Operation(
            method="POST",
            path="/webhooks",
            id="createWebhook",
            tag=_TAG,
            summary="Set up a webhook; the answer shows its secret, once",
            who="A seller for their own streams, an administrator for all",
            handler=handlers.create,
            body=WebhookCreate,
            answers={201: WebhookCreated},
            refusals=(OnlySellersSell, OnlyAdministrators, TooManyWebhooks, InvalidRequest),
            gives={"webhook_id": "$response.body#/data/id"},
        ),
        Operation(
            method="GET",
            path="/webhooks",
            id="listWebhooks",
            tag=_TAG,
            summary="List webhooks, newest first",
            who="A seller their own, an administrator also those of all",
            handler=handlers.list,
            query=WebhookListQuery,
            answers={200: WebhookPage},
            refusals=(OnlyAdministrators,),
        ),
        Operation(
            method="GET",
            path=_PATH,
            id="getWebhook",
            tag=_TAG,
            summary="Read a webhook",
            who=_OWNER,
            handler=handlers.read,
            answers={200: WebhookAnswer},
            refusals=_OWN,
        ),
        Operation(
            method="PATCH",
            path=_PATH,
            id="updateWebhook",
            tag=_TAG,
            summary="Change a webhook, stop it, or let it go on",
            who=_OWNER,
            handler=handlers.change,
            body=WebhookUpdate,
            answers={200: WebhookAnswer},
            refusals=(*_OWN, OnlyAdministrators),
        ),
        Operation(
            method="DELETE",
            path=_PATH,
            id="deleteWebhook",
            tag=_TAG,
            summary="Forget a webhook, its log and what is still to be sent",
            who=_OWNER,
            handler=handlers.delete,
            answers={200: WebhookDeleted},
            refusals=_OWN,
        ),
        Operation(
            method="POST",
            path=f"{_PATH}/rotate-secret",
            id="rotateWebhookSecret",
            tag=_TAG,
            summary="Make a new secret; for a day the old one signs, too",
            who=_OWNER,
            handler=handlers.rotate,
            answers={200: WebhookSecretAnswer},
            refusals=_OWN,
        ),
    ]


def _deliveries(handlers: WebhookHandlers) -> list[AnyOperation]:
    return [
        Operation(
            method="GET",
            path=f"{_PATH}/deliveries",
            id="listWebhookDeliveries",
            tag=_TAG,
            summary="Read what was sent, newest first",
            who=_OWNER,
            handler=handlers.log,
            query=DeliveryListQuery,
            answers={200: DeliveryPage},
            refusals=_OWN,
        ),
        Operation(
            method="POST",
            path=f"{_PATH}/deliveries/{{delivery_id}}/resend",
            id="resendWebhookDelivery",
            tag=_TAG,
            summary="Send a delivery that is over once more",
            who=_OWNER,
            handler=handlers.resend,
            answers={202: DeliveryAnswer},
            refusals=(*_OWN, DeliveryNotFound, DeliveryPending),
        ),
        Operation(
            method="POST",
            path=f"{_PATH}/resend-dead",
            id="resendDeadWebhookDeliveries",
            tag=_TAG,
            summary="Send all dead letters once more",
            who=_OWNER,
            handler=handlers.resend_dead,
            answers={202: Resent},
            refusals=_OWN,
        ),
    ]
