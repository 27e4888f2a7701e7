"""The room again, beside the recording."""

import re
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from controller.api.answers import CamelAnswer
from controller.api.fields import ClipTime
from controller.api.registry import Access, Answer, AnyOperation, Call, Operation
from controller.api.requests import Nothing
from controller.domain.replay import (
    DEFAULT_SPAN_S,
    MOST_MESSAGES,
    MOST_SPAN_S,
    REACTION_STEP_S,
    Replay,
    ReplayService,
)
from controller.errors import NotInAudience, StreamNotFound


def _parse_count(value: object) -> object:
    # A query holds text; int() would take " 1", "+1" and "1_0", which nobody means.
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise PydanticCustomError("int_parsing", "must be a whole number")
    return value


def _parse_time(value: object) -> object:
    if isinstance(value, str) and _DECIMAL.fullmatch(value) is None:
        raise PydanticCustomError("float_parsing", "must be a decimal number of seconds")
    return value


_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
QueryTime = Annotated[ClipTime, BeforeValidator(_parse_time)]
Messages = Annotated[int, Field(ge=1, le=MOST_MESSAGES), BeforeValidator(_parse_count)]


class ReplayQuery(BaseModel):
    """Which stretch."""

    from_s: QueryTime = Field(default=0.0, alias="from")
    to_s: QueryTime | None = Field(
        default=None,
        alias="to",
        description=f"Exclusive; {DEFAULT_SPAN_S:.0f} s later when not given, and at most "
        f"{MOST_SPAN_S:.0f} s later.",
    )
    limit: Messages = Field(default=MOST_MESSAGES, description="Chat messages at most.")

    @model_validator(mode="after")
    def _forward(self) -> "ReplayQuery":
        if self.to_s is not None and self.to_s < self.from_s:
            raise PydanticCustomError("stretch", "to must not be before from")
        return self


class ReplayedMessage(CamelAnswer):
    """Something that was said; `t` is in seconds of the recording, here and below."""

    t: float
    message_id: UUID
    user_id: UUID
    username: str
    avatar_url: str | None
    message: str
    timestamp: datetime


class ReplayedReactions(CamelAnswer):
    """Reactions of one kind, counted together."""

    t: int = Field(description=f"Those of {REACTION_STEP_S} s from here on.")
    emoji: str
    count: int


class ReplayedTagAnswer(CamelAnswer):
    """A place in the picture."""

    t: float
    product_id: UUID
    x: float
    y: float


class ReplayedPinAnswer(CamelAnswer):
    """A product shown beside the picture."""

    t: float
    until: float | None = Field(description="Null: to the end.")
    product_id: UUID


class ReplayAnswer(CamelAnswer):
    """What happened in a stretch of the recording, `to` excluded."""

    stream_id: UUID
    from_: float = Field(alias="from")
    to: float = Field(description="Before what was asked for where there was too much chat.")
    chat: list[ReplayedMessage]
    reactions: list[ReplayedReactions]
    tags: list[ReplayedTagAnswer]
    pins: list[ReplayedPinAnswer]
    more: bool = Field(description="Whether the rest of the stretch is to be asked for from `to`.")


class ReplayHandlers:
    """From a validated call to the service and back."""

    def __init__(self, replays: ReplayService) -> None:
        self._replays = replays

    async def read(self, call: Call[Nothing, ReplayQuery]) -> Answer:
        """GET /streams/{stream_id}/replay."""
        stream_id, query = call.path["stream_id"], call.query
        replay = await self._replays.replay(
            call.identity, stream_id, query.from_s, query.to_s, query.limit
        )
        return Answer(show_replay(stream_id, replay))


def show_replay(stream_id: UUID, replay: Replay) -> ReplayAnswer:
    """The answer."""
    chat = [
        ReplayedMessage(
            t=said.stream_time_s or 0.0,
            message_id=said.id,
            user_id=said.user_id,
            username=said.username,
            avatar_url=said.avatar_url,
            message=said.text,
            timestamp=said.sent_at,
        )
        for said in replay.chat
    ]
    fields = {
        "from": replay.covers.from_s,
        "to": replay.covers.to_s,
        "streamId": stream_id,
        "chat": chat,
        "reactions": [
            ReplayedReactions(t=one.at_s, emoji=one.emoji, count=one.count)
            for one in replay.reactions
        ],
        "tags": [
            ReplayedTagAnswer(t=tag.at_s, product_id=tag.product_id, x=tag.x, y=tag.y)
            for tag in replay.tags
        ],
        "pins": [
            ReplayedPinAnswer(t=pin.at_s, until=pin.until_s, product_id=pin.product_id)
            for pin in replay.pins
        ],
        "more": replay.more,
    }
    return ReplayAnswer.model_validate(fields)


def replay_operations(handlers: ReplayHandlers) -> list[AnyOperation]:
    """The one call."""
    return [
        Operation(
            method="GET",
            path="/streams/{stream_id}/replay",
            id="replayRoom",
            tag="Engagement",
            summary="Read what the room did, by the time of the recording",
            who="Anyone, within the audience",
            handler=handlers.read,
            access=Access.ANYONE,
            query=ReplayQuery,
            answers={200: ReplayAnswer},
            refusals=(StreamNotFound, NotInAudience),
        )
    ]
