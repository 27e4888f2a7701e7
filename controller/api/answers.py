"""The bases of all answers, and the one shape of every error."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Answered(BaseModel):
    """Base of everything that is answered."""

    model_config = ConfigDict(frozen=True)


class CamelAnswer(BaseModel):
    """Base of `data` with camelCase keys."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True
    )


class FieldProblem(Answered):
    """One refused field."""

    location: Literal["body", "query", "path", "header"]
    field: str
    message: str
    code: str


class Problem(Answered):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="Where the error is explained.")
    title: str
    status: int
    detail: str = Field(description="The sentence that clients may match on.")
    code: str = Field(description="Stable and machine-readable.")
    retryable: bool = Field(description="The same call may succeed later.")
    request_id: str = Field(description="Names the request in the server's log.")
    errors: list[FieldProblem] | None = Field(
        default=None, description="Each refused field; only for validation failures."
    )
