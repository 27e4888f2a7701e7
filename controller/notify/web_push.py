"""Web Push: a message encrypted for one browser (RFC 8291), sent to its push service (RFC 8030)."""

import json
from http import HTTPStatus

import aiohttp
from pywebpush import WebPusher, WebPushException
from yarl import URL

from controller.domain.notifications import PushMessage, PushResult, PushVerdict
from controller.notify.guarded_http import Reply, RequestFailed, post
from controller.notify.vapid import VapidSigner

_TTL_S = 3600
_DEAD = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}


class WebPushChannel:
    """Implements PushChannel: `address` is a subscription as the browser gave it.

    Its endpoint is whatever a user has sent, so the session must be a guarded one.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        signer: VapidSigner,
        watch_url: str,
        timeout_s: float,
    ) -> None:
        self._session = session
        self._signer = signer
        self._watch_url = watch_url
        self._timeout_s = timeout_s

    async def send(self, address: str, message: PushMessage) -> PushResult:
        """See `PushChannel.send`."""
        try:
            subscription = json.loads(address)
            endpoint = str(subscription["endpoint"])
            body = WebPusher(subscription).encode(self._payload(message))["body"]
            origin = str(URL(endpoint, encoded=True).origin())
        except (ValueError, KeyError, TypeError, IndexError, WebPushException):
            return PushResult(PushVerdict.DEAD, reason="bad_subscription")
        headers = {
            "Authorization": self._signer.authorization(origin),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(_TTL_S),
            "Urgency": "high",
            # A message that is still waiting is replaced by a later one (RFC 8030, 5.4).
            "Topic": message.stream_id.hex,
        }
        try:
            reply = await post(self._session, endpoint, body, headers, self._timeout_s)
        except RequestFailed as failed:
            refused = failed.reason == "address_refused"
            verdict = PushVerdict.REFUSED if refused else PushVerdict.LATER
            return PushResult(verdict, reason=failed.reason)
        return _verdict(reply)

    def _payload(self, message: PushMessage) -> bytes:
        stream_id = str(message.stream_id)
        shown = {
            "type": "stream.live",
            "streamId": stream_id,
            "title": message.title,
            "body": message.body,
            "url": f"{self._watch_url}/{stream_id}",
        }
        return json.dumps(shown, ensure_ascii=False).encode()


def _verdict(reply: Reply) -> PushResult:
    status, reason = reply.status, f"http_{reply.status}"
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return PushResult(PushVerdict.TOLD)
    if status in _DEAD:
        return PushResult(PushVerdict.DEAD, reason=reason)
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return PushResult(PushVerdict.LATER, reply.retry_after_s, reason)
    return PushResult(PushVerdict.REFUSED, reason=reason)
