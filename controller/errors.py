"""Everything that the control plane says no with.

    ControllerError
    ├── BadRequest (400)
    │   ├── ProductsNotAvailable · ProductsNotFound · StreamNotAttachable · StreamNotEditable
    │   ├── StreamNotScheduled · StreamWithoutProducts · HostNotReady · StreamNotLive
    │   ├── KeyNotRotatable · ProductMismatch · CannotFollowSelf · MalformedJson · BadHttpRequest
    │   └── NothingToClip
    ├── NotAuthenticated (401)
    ├── Forbidden (403)
    │   ├── OnlySellersCreate · OnlySellersSell · NotYourStream · NotYourProduct · NotInAudience
    │   ├── NotYourWebhook · OnlyAdministrators · PlaybackTokenNeeded · NotYourSession
    │   └── NotYourUpload · NotYourJob · UploadTicketRefused
    ├── NotFound (404)
    │   ├── StreamNotFound · ProductNotFound · ProductNotInStream · UserNotFound · JobNotFound
    │   ├── WebhookNotFound · DeliveryNotFound · RehearsalNotFound
    │   └── UploadNotFound · ClipNotFound · RouteNotFound
    ├── MethodNotAllowed (405)
    ├── Conflict (409)
    │   ├── AlreadyPublishing · IllegalIngestState · KeyRevoked · IdempotencyKeyReused
    │   ├── TooManyWebhooks · DeliveryPending
    │   └── NothingToSave · NothingToDelete · JobIsOver · TooManyClips
    ├── EtagMismatch (412)
    ├── PayloadTooLarge (413) · UnsupportedMediaType (415)
    ├── InvalidRequest (422, names each field)
    ├── TooManyFailures (429, retryable)
    ├── InternalError (500) · ConfigurationError (500, at the start only)
    ├── ObjectsUnavailable · UploadsBusy (503, retryable) · StorageFull (507, retryable)
    └── StoreUnavailable (503, retryable)
        └── StoreOutdated

A class carries its machine-readable `code`, its HTTP status, whether the same call may succeed
later, and the sentence that clients match on. An instance never carries a key, a token or a URL
with credentials: what is raised may be logged and answered as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One refused field: where (`body`, `query`, `path`, `header`), which, why, and the rule."""

    location: str
    field: str
    message: str
    code: str


class ControllerError(Exception):
    """Base of all: `detail` is the sentence for the caller, `code` is stable."""

    code: ClassVar[str] = "error"
    http_status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    title: ClassVar[str] = "Error"
    default_detail: ClassVar[str] = "Something went wrong"

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail if detail is not None else self.default_detail
        super().__init__(self.detail)


class BadRequest(ControllerError):
    """The call is well formed and not possible as things stand."""

    code = "bad_request"
    http_status = 400
    title = "Bad request"
    default_detail = "The request cannot be carried out"


class ProductsNotAvailable(BadRequest):
    """A product of a new stream is missing, someone else's or not for sale."""

    code = "products_not_available"
    default_detail = "Some products not found or not available"


class ProductsNotFound(BadRequest):
    """A product to attach is missing, someone else's or not for sale."""

    code = "products_not_found"
    default_detail = "Some products not found"


class StreamNotAttachable(BadRequest):
    """The product list is fixed once a stream is no longer scheduled."""

    code = "stream_not_attachable"
    default_detail = "Can only attach products to scheduled streams"


class StreamNotEditable(BadRequest):
    """Settings are fixed once a stream is no longer scheduled."""

    code = "stream_not_editable"
    default_detail = "Can only update scheduled streams"


class StreamNotScheduled(BadRequest):
    """Only a scheduled stream goes live or is cancelled."""

    code = "stream_not_scheduled"
    default_detail = "Stream must be in scheduled status"


class StreamWithoutProducts(BadRequest):
    """Going live needs something to sell."""

    code = "stream_without_products"
    default_detail = "Stream must have at least 1 product attached"


class HostNotReady(BadRequest):
    """The host did not confirm camera and checklist."""

    code = "host_not_ready"
    default_detail = "Camera and checklist must be ready"


class StreamNotLive(BadRequest):
    """The call makes sense only while the stream is live."""

    code = "stream_not_live"
    default_detail = "Stream is not live"


class KeyNotRotatable(BadRequest):
    """An ended or cancelled stream has no use for a key."""

    code = "key_not_rotatable"
    default_detail = "Can only rotate the key of scheduled or live streams"


class ProductMismatch(BadRequest):
    """The body names another product than the path."""

    code = "product_mismatch"
    default_detail = "product_id must be the product of the path"


class NothingToClip(BadRequest):
    """Nothing has been sent yet, or nothing was kept, or it is not ready."""

    code = "nothing_to_clip"
    default_detail = "There is nothing to cut a clip from"


class CannotFollowSelf(BadRequest):
    """A host does not follow themself."""

    code = "cannot_follow_self"
    default_detail = "Cannot follow yourself"


class MalformedJson(BadRequest):
    """The body is not JSON in UTF-8, or is nested too deep."""

    code = "malformed_json"
    default_detail = "The body is not valid JSON"


class BadHttpRequest(BadRequest):
    """The HTTP message itself could not be read."""

    code = "bad_http_request"
    default_detail = "The request could not be read"


class NotAuthenticated(ControllerError):
    """No bearer token, or one that does not verify; never says more than it must."""

    code = "not_authenticated"
    http_status = 401
    title = "Not authenticated"
    default_detail = "Not authenticated"


class Forbidden(ControllerError):
    """The caller is known and may not do this."""

    code = "forbidden"
    http_status = 403
    title = "Forbidden"
    default_detail = "Not allowed"


class OnlySellersCreate(Forbidden):
    """Creating a stream needs the role seller or both."""

    code = "only_sellers"
    default_detail = "Only sellers can create streams"


class OnlySellersSell(Forbidden):
    """Keeping products needs the role seller or both."""

    code = "only_sellers_sell"
    default_detail = "Only sellers can manage products"


class NotYourStream(Forbidden):
    """The stream belongs to someone else."""

    code = "not_your_stream"
    default_detail = "Not your stream"


class NotYourProduct(Forbidden):
    """The product belongs to someone else."""

    code = "not_your_product"
    default_detail = "Not your product"


class NotYourUpload(Forbidden):
    """Uploads are their uploader's."""

    code = "not_your_upload"
    default_detail = "Not your upload"


class NotYourJob(Forbidden):
    """Jobs are shown to whoever handed them in."""

    code = "not_your_job"
    default_detail = "Not your job"


class NotYourWebhook(Forbidden):
    """The webhook endpoint belongs to somebody else."""

    code = "not_your_webhook"
    default_detail = "Not your webhook"


class OnlyAdministrators(Forbidden):
    """What concerns every seller is an administrator's to set up."""

    code = "only_administrators"
    default_detail = "Only administrators can do this"


class UploadTicketRefused(Forbidden):
    """An upload address that was changed, or is too old."""

    code = "upload_ticket_refused"
    default_detail = "The upload address is not valid, or not any more"


class NotInAudience(Forbidden):
    """The stream's audience does not include the caller."""

    code = "not_in_audience"
    default_detail = "This stream is not open to you"


class NotYourSession(Forbidden):
    """The WebRTC session was begun with another stream key."""

    code = "not_your_session"
    default_detail = "Not your session"


class PlaybackTokenNeeded(Forbidden):
    """The stream is not for everyone, and no good playback token came with the request."""

    code = "playback_token_needed"
    default_detail = "A playback token is needed"


class NotFound(ControllerError):
    """What was named does not exist."""

    code = "not_found"
    http_status = 404
    title = "Not found"
    default_detail = "Not found"


class StreamNotFound(NotFound):
    """No stream has this id."""

    code = "stream_not_found"
    default_detail = "Stream not found"


class ProductNotFound(NotFound):
    """No product has this id."""

    code = "product_not_found"
    default_detail = "Product not found"


class ProductNotInStream(NotFound):
    """The product is not attached to the stream."""

    code = "product_not_in_stream"
    default_detail = "Product not in stream"


class RehearsalNotFound(NotFound):
    """No rehearsal of the stream runs: none was begun, or it is over."""

    code = "rehearsal_not_found"
    default_detail = "No rehearsal is running"


class UserNotFound(NotFound):
    """No user has this id."""

    code = "user_not_found"
    default_detail = "User not found"


class UploadNotFound(NotFound):
    """Nothing has been uploaded under this key."""

    code = "upload_not_found"
    default_detail = "Upload not found"


class ClipNotFound(NotFound):
    """The stream has no such clip, or it is not ready for others."""

    code = "clip_not_found"
    default_detail = "Clip not found"


class WebhookNotFound(NotFound):
    """There is no such webhook endpoint."""

    code = "webhook_not_found"
    default_detail = "Webhook not found"


class DeliveryNotFound(NotFound):
    """The endpoint's log has no such delivery."""

    code = "delivery_not_found"
    default_detail = "Delivery not found"


class JobNotFound(NotFound):
    """No job has this id."""

    code = "job_not_found"
    default_detail = "Job not found"


class RouteNotFound(NotFound):
    """No such path."""

    code = "route_not_found"
    default_detail = "No such path"


class MethodNotAllowed(ControllerError):
    """The path exists, the method does not; `allowed` goes into the Allow header."""

    code = "method_not_allowed"
    http_status = 405
    title = "Method not allowed"
    default_detail = "The path does not know this method"

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        super().__init__()
        self.allowed = tuple(sorted(allowed))


class Conflict(ControllerError):
    """Someone else was faster, or the thing is in another state."""

    code = "conflict"
    http_status = 409
    title = "Conflict"
    default_detail = "The state has changed meanwhile"


class AlreadyPublishing(Conflict):
    """The stream has an open publication."""

    code = "already_publishing"
    default_detail = "An encoder is already publishing this stream"


class IllegalIngestState(Conflict):
    """The ingest state is not the one that this change starts from."""

    code = "illegal_ingest_state"
    default_detail = "The ingest state does not allow this change"


class KeyRevoked(Conflict):
    """The stream key was replaced between its look-up and the publication."""

    code = "key_revoked"
    default_detail = "The stream key is no longer valid"


class NothingToSave(Conflict):
    """No recording of the stream waits to be saved: it is recorded anyway, or gone."""

    code = "nothing_to_save"
    default_detail = "There is no unsaved recording"


class NothingToDelete(Conflict):
    """The stream has no recording, or it is not finished yet."""

    code = "nothing_to_delete"
    default_detail = "There is no finished recording"


class TooManyClips(Conflict):
    """A stream has a limited number of clips, and of clips in the making."""

    code = "too_many_clips"
    default_detail = "The stream has too many clips, or too many in the making"


class TooManyWebhooks(Conflict):
    """A seller has a bounded number of endpoints, and so have the administrators together."""

    code = "too_many_webhooks"
    default_detail = "There are as many webhooks as there may be"


class DeliveryPending(Conflict):
    """What is still being delivered needs no resending."""

    code = "delivery_pending"
    default_detail = "The delivery is not finished yet"


class JobIsOver(Conflict):
    """A job that has ended is not cancelled any more."""

    code = "job_is_over"
    default_detail = "The job has ended"


class IdempotencyKeyReused(Conflict):
    """The Idempotency-Key was used before for a different request."""

    code = "idempotency_key_reused"
    default_detail = "The Idempotency-Key was used for a different request"


class EtagMismatch(ControllerError):
    """If-Match names another ICE session than the one there is."""

    code = "etag_mismatch"
    http_status = 412
    title = "Precondition failed"
    default_detail = "If-Match names another session"


class PayloadTooLarge(ControllerError):
    """The body exceeds the size limit of the call."""

    code = "payload_too_large"
    http_status = 413
    title = "Payload too large"
    default_detail = "The body is too large"


class UnsupportedMediaType(ControllerError):
    """The body's content type is not the one that the call reads."""

    code = "unsupported_media_type"
    http_status = 415
    title = "Unsupported media type"
    default_detail = "The body must be application/json"


class InvalidRequest(ControllerError):
    """Validation failed; `errors` names each field."""

    code = "validation_failed"
    http_status = 422
    title = "Validation failed"
    default_detail = "The request has invalid fields"

    def __init__(self, errors: Sequence[FieldError], detail: str | None = None) -> None:
        super().__init__(detail)
        self.errors = tuple(errors)


class TooManyFailures(ControllerError):
    """The source has failed too often; `retry_after_s` says when to come back."""

    code = "too_many_failures"
    http_status = 429
    retryable = True
    title = "Too many requests"
    default_detail = "Too many failed attempts"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


class InternalError(ControllerError):
    """A defect of ours: the log has the reason, the answer only the request id."""

    code = "internal_error"
    http_status = 500
    title = "Internal error"
    default_detail = "The server failed to answer; the request id is in its log"


class ConfigurationError(ControllerError):
    """A setting cannot be used; the sentence names it and says what to do, never its value."""

    code = "configuration"
    title = "Configuration error"
    default_detail = "The configuration cannot be used"


class StoreUnavailable(ControllerError):
    """The database did not answer in time, or is not there."""

    code = "store_unavailable"
    http_status = 503
    retryable = True
    title = "Service unavailable"
    default_detail = "The database is not available"


class ObjectsUnavailable(ControllerError):
    """The object store did not answer, or will not have it."""

    code = "objects_unavailable"
    http_status = 503
    retryable = True
    title = "Service unavailable"
    default_detail = "The object store is not available"


class UploadsBusy(ControllerError):
    """As many uploads as the server takes at once are going on."""

    code = "uploads_busy"
    http_status = 503
    retryable = True
    title = "Service unavailable"
    default_detail = "Too many uploads at once"


class StorageFull(ControllerError):
    """The disk has no room for the upload."""

    code = "storage_full"
    http_status = 507
    retryable = True
    title = "Insufficient storage"
    default_detail = "There is no room for the upload"


class StoreOutdated(StoreUnavailable):
    """The database's schema is not the one of this release: run `golive migrate`."""

    code = "store_outdated"
    retryable = False
    default_detail = "The database schema is not the one of this release: run golive migrate"
