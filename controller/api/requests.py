"""What clients send. Fields that are not named here are ignored."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Discriminator, Field, RootModel, Tag, model_validator
from pydantic_core import PydanticCustomError

from controller.api.fields import (
    Category,
    ClipTime,
    Currency,
    CursorWord,
    Description,
    DurationMin,
    Filename,
    Id,
    Latitude,
    Limit,
    Longitude,
    Moment,
    PosterTime,
    Price,
    Quantity,
    SecondsOfStream,
    SecureWebAddress,
    Share,
    Title,
    UploadKey,
    UploadSize,
    UploadType,
    Username,
    WebAddress,
)
from controller.domain.products import ProductEventType
from controller.domain.states import StreamStatus
from controller.domain.streams import Audience

ProductIds = Annotated[list[Id], Field(max_length=100)]
DEFAULT_LIMIT = 20


class Nothing(BaseModel):
    """No body, or no query."""


class JsonBody(BaseModel):
    """A JSON object, read strictly: a number is not text, and text is not a number."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class StreamCreate(JsonBody):
    """A stream to schedule."""

    title: Title
    description: Description | None = None
    category: Category
    audience: Audience = Audience.EVERYONE
    estimated_duration: DurationMin = 30
    notify_followers: bool = True
    notify_neighborhood: bool = False
    enable_chat: bool = True
    enable_comments: bool = True
    record_stream: bool = True
    product_ids: ProductIds = []
    scheduled_at: Moment | None = None


class StreamUpdate(JsonBody):
    """Changes to a scheduled stream: only fields that are sent change."""

    # The factories stand for "not sent" (see `model_fields_set`): unlike None they need no null
    # in the type, which the contract does not allow, and unlike a default they are not published.
    title: Title = Field(default_factory=str)
    description: Description | None = None
    audience: Audience = Field(default_factory=lambda: Audience.EVERYONE)
    estimated_duration: DurationMin = Field(default_factory=int)
    notify_followers: bool = Field(default_factory=bool)
    notify_neighborhood: bool = Field(default_factory=bool)
    enable_chat: bool = Field(default_factory=bool)
    enable_comments: bool = Field(default_factory=bool)
    record_stream: bool = Field(default_factory=bool)


class ProductIdsObject(JsonBody):
    """Products by id."""

    product_ids: ProductIds


def _selection_kind(value: Any) -> str:
    return "list" if isinstance(value, list) else "object"


class ProductSelection(
    RootModel[
        Annotated[
            Annotated[ProductIds, Tag("list")] | Annotated[ProductIdsObject, Tag("object")],
            Discriminator(_selection_kind),
        ]
    ]
):
    """Products to attach: a list of ids, or an object with `product_ids`."""

    @property
    def ids(self) -> list[UUID]:
        """The ids, in either form."""
        return self.root if isinstance(self.root, list) else self.root.product_ids


class GoLive(JsonBody):
    """The host's word that everything is set."""

    camera_ready: bool
    checklist_complete: bool


class ClipCreate(JsonBody):
    """A clip to be cut from what is live, or from the recording."""

    start: ClipTime
    end: ClipTime
    title: Title
    exact: bool = Field(
        default=False,
        description="Cut at the very frame, with a short re-encode. Otherwise the clip starts at "
        "the keyframe before `start` and ends with the chunk that holds `end`.",
    )


class ProductTagRequest(JsonBody):
    """Where the product is pinned in the picture: 0, 0 is the upper left corner."""

    product_id: Id | None = Field(
        default=None, description="May be repeated here; must be the path's."
    )
    x: Share
    y: Share
    timestamp_seconds: SecondsOfStream | None = Field(
        default=None, description="Seconds since the stream started; now when not given."
    )


class ProductEventRequest(JsonBody):
    """What the viewer did."""

    type: ProductEventType
    quantity: Quantity = 1


class ProductEventQuery(BaseModel):
    """Who a viewer without a token is."""

    session: str = Field(
        default="",
        max_length=256,
        description="The `session` of an anonymous viewer's `stream:joined`; a browser's cookie "
        "will do as well.",
    )


class StreamListQuery(BaseModel):
    """Narrows the listing."""

    status: StreamStatus | None = None
    category: Category | None = None
    user_id: Id | None = None
    limit: Limit = DEFAULT_LIMIT
    cursor: CursorWord | None = None


class PageQuery(BaseModel):
    """A page of a listing."""

    limit: Limit = DEFAULT_LIMIT
    cursor: CursorWord | None = None


class ProductListQuery(PageQuery):
    """A page of a seller's products."""

    seller_id: Id | None = Field(default=None, description="Yourself, which is also the default.")


class ProductPut(JsonBody):
    """A product as its seller describes it."""

    title: Title
    price: Price
    currency: Currency
    image_urls: Annotated[list[WebAddress], Field(max_length=10)] = []
    is_available: bool = True


class UserPut(JsonBody):
    """What a user says about themself: only fields that are sent change, null clears."""

    model_config = ConfigDict(
        json_schema_extra={
            "dependentRequired": {"latitude": ["longitude"], "longitude": ["latitude"]},
            "anyOf": [
                {"properties": {"latitude": {"type": kind}, "longitude": {"type": kind}}}
                for kind in ("number", "null")
            ],
        }
    )

    username: Username = Field(default_factory=str)
    avatar_url: WebAddress | None = None
    latitude: Latitude | None = Field(default=None, description="Together with longitude.")
    longitude: Longitude | None = Field(default=None, description="Together with latitude.")

    @model_validator(mode="after")
    def _position_is_whole(self) -> "UserPut":
        sent = {"latitude", "longitude"} & self.model_fields_set
        if len(sent) == 1 or (self.latitude is None) != (self.longitude is None):
            raise PydanticCustomError("position", "latitude and longitude come together")
        return self


class FcmDevice(JsonBody):
    """A phone, reached through Firebase Cloud Messaging."""

    kind: Literal["fcm"]
    token: Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[A-Za-z0-9_:.-]+$")]


class WebPushKeys(JsonBody):
    """The subscription's keys (RFC 8291), URL-safe base64."""

    p256dh: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_=-]+$")]
    auth: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_=-]+$")]


class WebPushSubscription(JsonBody):
    """What a browser's `PushSubscription.toJSON()` gives."""

    endpoint: SecureWebAddress
    keys: WebPushKeys


class WebPushDevice(JsonBody):
    """A browser, reached through Web Push."""

    kind: Literal["web_push"]
    subscription: WebPushSubscription


class DevicePut(
    RootModel[Annotated[FcmDevice | WebPushDevice, Field(discriminator="kind")]],
):
    """A push target of the caller's."""


class UploadCreate(JsonBody):
    """What is to be uploaded."""

    filename: Filename
    content_type: UploadType
    size: UploadSize


class VideoOptions(JsonBody):
    """How a video is processed."""

    poster_timestamp_seconds: PosterTime = 1.0


class VideoProcess(JsonBody):
    """Which upload to process."""

    key: UploadKey
    options: VideoOptions = VideoOptions()
