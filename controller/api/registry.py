"""One description per call: the route, its models, its errors. From it come the aiohttp handler
(`binding`), the OpenAPI document (`openapi`) and the page at /docs, so they cannot disagree.

Why not aiohttp-pydantic: its document is OpenAPI 3.0 and leaves out errors and headers, its
page loads scripts from a CDN, and its class-based views hide what a call takes.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeAlias, TypeVar
from uuid import UUID

from pydantic import BaseModel

from controller.api.requests import Nothing
from controller.domain.people import Identity
from controller.errors import (
    ControllerError,
    InternalError,
    InvalidRequest,
    MalformedJson,
    NotAuthenticated,
    PayloadTooLarge,
    StoreUnavailable,
    TooManyFailures,
    UnsupportedMediaType,
)

BodyT = TypeVar("BodyT", bound=BaseModel)
QueryT = TypeVar("QueryT", bound=BaseModel)


class Access(Enum):
    """Whether a call needs a bearer token; one that is sent must be good in any case."""

    ANYONE = "anyone"
    SIGNED_IN = "signed_in"


@dataclass(frozen=True, slots=True)
class Call(Generic[BodyT, QueryT]):
    """A request that has been read and validated."""

    identity: Identity | None
    path: Mapping[str, UUID]
    body: BodyT
    query: QueryT
    idempotency_key: str | None = None
    guest_session: str = ""
    """Of the browser's cookie."""

    @property
    def caller(self) -> Identity:
        """Who is calling; NotAuthenticated when nobody has said."""
        if self.identity is None:
            raise NotAuthenticated
        return self.identity


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler gives back; it is wrapped in the envelope."""

    data: BaseModel
    status: int = 200
    message: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Operation(Generic[BodyT, QueryT]):
    """One call of the API; `path` is below /api/v1, with `{name}` for a UUID."""

    method: str
    path: str
    id: str
    tag: str
    summary: str
    who: str
    handler: Callable[[Call[BodyT, QueryT]], Awaitable[Answer]]
    answers: Mapping[int, type[BaseModel]]
    refusals: tuple[type[ControllerError], ...] = ()
    access: Access = Access.SIGNED_IN
    body: type[BodyT] = Nothing  # type: ignore[assignment]
    query: type[QueryT] = Nothing  # type: ignore[assignment]
    takes_idempotency_key: bool = False
    has_etag: bool = False
    gives: Mapping[str, str] = field(default_factory=dict)
    """Path parameters of other calls that the answer knows, as OpenAPI runtime expressions."""

    @property
    def path_parameters(self) -> tuple[str, ...]:
        """The names in the path, in its order."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))

    @property
    def reads_body(self) -> bool:
        """True when a JSON body is required."""
        return self.body is not Nothing

    @property
    def reads_query(self) -> bool:
        """True when there are query parameters."""
        return self.query is not Nothing

    @property
    def all_refusals(self) -> tuple[type[ControllerError], ...]:
        """Everything that the call may say no with."""
        refusals: list[type[ControllerError]] = [*self.refusals, NotAuthenticated, TooManyFailures]
        if self.reads_body:
            refusals += [MalformedJson, PayloadTooLarge, UnsupportedMediaType]
        if self.reads_body or self.reads_query or "{" in self.path or self.takes_idempotency_key:
            refusals.append(InvalidRequest)
        return (*dict.fromkeys(refusals), InternalError, StoreUnavailable)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A problem that no class of the control plane stands for, as the document tells it."""

    code: str
    http_status: int
    title: str
    default_detail: str
    retryable: bool = False


RefusalKind: TypeAlias = type[ControllerError] | Refusal


@dataclass(frozen=True, kw_only=True)
class DocumentedRoute:
    """A call that another module serves: its OpenAPI path item entry, written by hand.

    `operation` is an OpenAPI operation object; `refusals` are added to its responses; `schemas`
    are the components that it refers to. `at_root`: the path is the server's, not below /api/v1.
    """

    method: str
    path: str
    operation: Mapping[str, Any]
    refusals: tuple[RefusalKind, ...] = ()
    schemas: Mapping[str, Any] = field(default_factory=dict)
    at_root: bool = False


AnyOperation = Operation[Any, Any]
