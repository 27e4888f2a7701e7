"""Firebase Cloud Messaging, HTTP v1: a service account's token, and one message per device."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import jwt

from controller.domain.notifications import PushMessage, PushResult, PushVerdict
from controller.errors import ConfigurationError
from controller.notify.guarded_http import Reply, RequestFailed, post

_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ASSERTION_S = 3600
_RENEW_BEFORE_S = 120.0
_QUOTA_PAUSE_S = 60.0
_TTL_S = 3600
_DEAD = {"UNREGISTERED", "SENDER_ID_MISMATCH"}
_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT}


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """What Firebase's console gives: who sends, for which project."""

    project_id: str
    client_email: str
    token_uri: str
    private_key: str = field(repr=False)
    private_key_id: str = ""

    @classmethod
    def read(cls, path: Path) -> "ServiceAccount":
        """From the JSON file; ConfigurationError, without any of its content."""
        try:
            found = json.loads(path.read_text("utf-8"))
            names = ("project_id", "client_email", "token_uri", "private_key")
            account = cls(*(str(found[name]) for name in names))
            jwt.encode({}, account.private_key, algorithm="RS256")
        except (OSError, ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
            raise ConfigurationError(
                f"{path} is no service account's key: {type(error).__name__}"
            ) from None
        return account


class FcmTokens:
    """The OAuth token that messages are sent with; asked for once, kept until it runs out."""

    def __init__(
        self, session: aiohttp.ClientSession, account: ServiceAccount, timeout_s: float
    ) -> None:
        self._session = session
        self._account = account
        self._timeout_s = timeout_s
        self._asking = asyncio.Lock()
        self._token = ""
        self._good_until_s = 0.0

    async def current(self) -> str:
        """A token that is good; RequestFailed when there is none to be had (RFC 7523)."""
        async with self._asking:
            if time.monotonic() >= self._good_until_s:
                await self._ask()
            return self._token

    def forget(self, token: str) -> None:
        """It was refused: the next one is asked for, unless somebody has done so already."""
        if token == self._token:
            self._good_until_s = 0.0

    async def _ask(self) -> None:
        now_s, account = int(time.time()), self._account
        claims = {
            "iss": account.client_email,
            "scope": _SCOPE,
            "aud": account.token_uri,
            "iat": now_s,
            "exp": now_s + _ASSERTION_S,
        }
        headers = {"kid": account.private_key_id} if account.private_key_id else None
        assertion = jwt.encode(claims, account.private_key, algorithm="RS256", headers=headers)
        form = urlencode({"grant_type": _GRANT, "assertion": assertion}).encode()
        content_type = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = await post(self._session, account.token_uri, form, content_type, self._timeout_s)
        answer = _json(reply)
        token, life_s = answer.get("access_token"), answer.get("expires_in")
        if reply.status != HTTPStatus.OK or not isinstance(token, str):
            raise RequestFailed("token_refused")
        good_s = float(life_s) if isinstance(life_s, int | float) else _ASSERTION_S
        self._token = token
        self._good_until_s = time.monotonic() + max(0.0, good_s - _RENEW_BEFORE_S)


class FcmChannel:
    """Implements PushChannel: `address` is a registration token."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        tokens: FcmTokens,
        endpoint: str,
        project_id: str,
        watch_url: str,
        timeout_s: float,
    ) -> None:
        self._session = session
        self._tokens = tokens
        self._url = f"{endpoint}/v1/projects/{project_id}/messages:send"
        self._watch_url = watch_url
        self._timeout_s = timeout_s

    async def send(self, address: str, message: PushMessage) -> PushResult:
        """See `PushChannel.send`."""
        body = json.dumps({"message": self._message(address, message)}).encode()
        try:
            token = await self._tokens.current()
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            reply = await post(self._session, self._url, body, headers, self._timeout_s)
        except RequestFailed as failed:
            return PushResult(PushVerdict.LATER, reason=failed.reason)
        verdict = _verdict(reply)
        if reply.status == HTTPStatus.UNAUTHORIZED and verdict.verdict is PushVerdict.LATER:
            self._tokens.forget(token)
        return verdict

    def _message(self, address: str, message: PushMessage) -> Mapping[str, Any]:
        # What a service sends twice is one notification on the device: the later replaces it.
        stream_id = str(message.stream_id)
        data = {
            "type": "stream.live",
            "streamId": stream_id,
            "url": f"{self._watch_url}/{stream_id}",
        }
        return {
            "token": address,
            "notification": {"title": message.title, "body": message.body},
            "data": data,
            "android": {
                "priority": "HIGH",
                "ttl": f"{_TTL_S}s",
                "collapse_key": stream_id,
                "notification": {"tag": stream_id},
            },
            "apns": {
                "headers": {
                    "apns-priority": "10",
                    "apns-collapse-id": stream_id,
                    "apns-expiration": str(int(time.time()) + _TTL_S),
                }
            },
        }


def _verdict(reply: Reply) -> PushResult:
    """What the answer means (Firebase's ErrorCode)."""
    status = reply.status
    if status == HTTPStatus.OK:
        return PushResult(PushVerdict.TOLD)
    code, blames_token = _error(_json(reply))
    reason = code.lower() or f"http_{status}"
    if code in _DEAD or status == HTTPStatus.NOT_FOUND or blames_token:
        return PushResult(PushVerdict.DEAD, reason=reason)
    if code == "THIRD_PARTY_AUTH_ERROR":
        return PushResult(PushVerdict.REFUSED, reason=reason)
    if status in _BUSY:
        return PushResult(PushVerdict.LATER, reply.retry_after_s or _QUOTA_PAUSE_S, reason)
    if status == HTTPStatus.UNAUTHORIZED or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return PushResult(PushVerdict.LATER, reply.retry_after_s, reason)
    return PushResult(PushVerdict.REFUSED, reason=reason)


def _error(answer: Mapping[str, Any]) -> tuple[str, bool]:
    """The error's code, and whether it is the registration token that is wrong."""
    error = answer.get("error")
    if not isinstance(error, dict):
        return "", False
    code, blames_token = str(error.get("status", "")), False
    for detail in error.get("details") or []:
        if isinstance(detail, dict):
            code = str(detail.get("errorCode", code))
            violations = detail.get("fieldViolations") or []
            blames_token |= any(
                isinstance(one, dict) and one.get("field") == "message.token" for one in violations
            )
    return code, blames_token


def _json(reply: Reply) -> Mapping[str, Any]:
    try:
        answer = json.loads(reply.body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
