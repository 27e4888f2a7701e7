"""What apps need for notifications, and what hosts may know of them."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from pydantic import Field

from controller.api.answers import CamelAnswer
from controller.api.registry import Access, Answer, AnyOperation, Call, Operation
from controller.api.requests import Nothing
from controller.domain.access import require_owner_or_admin
from controller.domain.notifications import NotificationStatus, PushState
from controller.domain.ports import StreamStore
from controller.errors import NotYourStream, StreamNotFound


class DeviceStates(CamelAnswer):
    """Devices by what has become of their notification."""

    queued: int
    delivered: int = Field(description="Taken by the push service.")
    dead: int = Field(description="Not there any more; their addresses are forgotten.")
    failed: int = Field(description="Refused, removed by their user, or tried often enough.")


class NotificationsAnswer(CamelAnswer):
    """How far the telling is."""

    stream_id: UUID
    queued: int = Field(description="Recipients, counted when the stream went live.")
    expanded: int = Field(description="Recipients whose devices have been looked up.")
    told: int = Field(description="People of whom one device at least was reached.")
    devices: DeviceStates
    complete: bool
    queued_at: datetime | None


class WebPushSetup(CamelAnswer):
    """What a browser subscribes with."""

    application_server_key: str = Field(description="For `PushManager.subscribe`.")


class PushSetup(CamelAnswer):
    """How this installation reaches devices."""

    web_push: WebPushSetup
    fcm: bool = Field(description="Whether Firebase Cloud Messaging is set up.")


class NotificationHandlers:
    """From validated calls to the notifications and back."""

    def __init__(
        self,
        streams: StreamStore,
        status: Callable[[UUID], Awaitable[NotificationStatus]],
        web_push_key: str,
        *,
        has_fcm: bool,
    ) -> None:
        self._streams = streams
        self._status = status
        self._setup = PushSetup(
            web_push=WebPushSetup(application_server_key=web_push_key), fcm=has_fcm
        )

    async def read(self, call: Call[Nothing, Nothing]) -> Answer:
        """GET /streams/{stream_id}/notifications."""
        stream = await self._streams.get(call.path["stream_id"])
        require_owner_or_admin(stream, call.caller)
        status = await self._status(stream.id)
        states = {state.value: status.devices.get(state, 0) for state in PushState}
        shown = NotificationsAnswer(
            stream_id=stream.id,
            queued=status.queued,
            expanded=status.expanded,
            told=status.told,
            devices=DeviceStates(**states),
            complete=status.is_complete,
            queued_at=status.queued_at,
        )
        return Answer(shown)

    async def push_setup(self, _call: Call[Nothing, Nothing]) -> Answer:
        """GET /push."""
        return Answer(self._setup)


def notification_operations(handlers: NotificationHandlers) -> list[AnyOperation]:
    """Every call about notifications."""
    return [
        Operation(
            method="GET",
            path="/push",
            id="getPushSetup",
            tag="Notifications",
            summary="Read what an app or a page needs for receiving notifications",
            who="Anyone",
            handler=handlers.push_setup,
            answers={200: PushSetup},
            access=Access.ANYONE,
        ),
        Operation(
            method="GET",
            path="/streams/{stream_id}/notifications",
            id="getNotifications",
            tag="Notifications",
            summary="Read whom the stream's start was told",
            who="The owner, or an administrator",
            handler=handlers.read,
            answers={200: NotificationsAnswer},
            refusals=(StreamNotFound, NotYourStream),
        ),
    ]
