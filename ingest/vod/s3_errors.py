"""botocore's errors in our words: what happened, whether to try again, nothing secret.

botocore's own messages may quote headers, signed URLs and key ids, so none is passed on.
"""

import math
from typing import Any

from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004  botocore's own
    HTTPClientError,
    ResponseStreamingError,
)
from botocore.parsers import ResponseParserError

from ingest.errors import ObjectStoreError, ObjectStoreRefused

_LONGEST_WAIT_S = 300.0

_NOT_IMPLEMENTED = 501
_NOT_FOUND = 404
_SERVER_ERRORS = 500
_TRY_AGAIN_STATUSES = frozenset({408, 425, 429})
_TRY_AGAIN_CODES = frozenset(
    {"BadDigest", "IncompleteBody", "InternalError", "RequestTimeout", "SlowDown"}
)
_ADVICE = {
    "InvalidAccessKeyId": "the store does not know the access key id",
    "UnauthorizedAccess": "the store does not know the access key",
    "SignatureDoesNotMatch": "the secret access key does not belong to the access key id",
    "AccessDenied": "the access key may not do this, or not in this bucket",
    "403": "the access key is wrong, or may not do this in this bucket",
    "401": "the access key is wrong",
    "NoSuchBucket": "the bucket does not exist",
    "PermanentRedirect": "the bucket is in another region",
    "AuthorizationHeaderMalformed": "the region is wrong",
    "RequestTimeTooSkewed": "the clock of this machine is wrong",
    "EntityTooLarge": "the object is too large for the store",
    "NotImplemented": "the store does not know this kind of request",
}

_NO_ANSWER = (HTTPClientError, ConnectionError, ResponseStreamingError, ResponseParserError)


class S3Failure(Exception):
    """The cause of an ObjectStoreError, as far as it may be told: codes, no content."""


def is_absent(error: ClientError) -> bool:
    """Whether a HEAD or GET found nothing under the key."""
    return _status(error) == _NOT_FOUND and _code(error) in {"404", "NoSuchKey", "NotFound"}


def translated(what: str, error: Exception) -> ObjectStoreError:
    """The error to raise for `error`, which ended `what` (operation and object)."""
    failure = _answered(what, error) if isinstance(error, ClientError) else _broken(what, error)
    failure.__cause__ = S3Failure(type(error).__name__)
    return failure


def _answered(what: str, error: ClientError) -> ObjectStoreError:
    status, code = _status(error), _code(error)
    advice = _ADVICE.get(code, "the store refuses it")
    again = (
        code in _TRY_AGAIN_CODES
        or status in _TRY_AGAIN_STATUSES
        or (status >= _SERVER_ERRORS and status != _NOT_IMPLEMENTED)
    )
    if again:
        return ObjectStoreError(f"{what}: the store answered {status} {code}", _wait_s(error))
    return ObjectStoreRefused(f"{what}: {advice} ({status} {code})")


def _broken(what: str, error: Exception) -> ObjectStoreError:
    """No answer, or none that can be read. Everything else is a request that cannot be made."""
    name = type(error).__name__
    if isinstance(error, _NO_ANSWER):
        return ObjectStoreError(f"{what}: no answer from the store ({name})")
    return ObjectStoreRefused(f"{what}: the request cannot be made ({name})")


def _response(error: ClientError) -> dict[str, Any]:
    return dict(error.response)


def _status(error: ClientError) -> int:
    return int(_response(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _code(error: ClientError) -> str:
    """The store's error code, cut to what a code looks like."""
    code = str(_response(error).get("Error", {}).get("Code", ""))[:64]
    return "".join(c for c in code if c.isalnum() or c in "._-")


def _wait_s(error: ClientError) -> float:
    headers = _response(error).get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        wait_s = float(headers.get("retry-after", "0"))
    except ValueError:  # a date: our own back-off is as good
        return 0.0
    return min(max(0.0, wait_s), _LONGEST_WAIT_S) if math.isfinite(wait_s) else 0.0
