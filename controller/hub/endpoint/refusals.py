"""Refusals as `error` events."""

from controller.errors import ControllerError, NotAuthenticated
from controller.hub import payloads
from controller.hub.codecs import Message


def error_message(error: ControllerError, reply_to: int | None = None) -> Message:
    """The `error` event that tells of a refusal."""
    # A token may be expired or foreign: the clients match on one sentence for both.
    is_token = isinstance(error, NotAuthenticated)
    detail = NotAuthenticated.default_detail if is_token else error.detail
    return Message.of(payloads.ERROR, payloads.error(detail, error.code), reply_to)
