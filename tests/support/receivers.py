"""Whoever is told: receivers of webhooks, Firebase Cloud Messaging, a Web Push service.

Each speaks its real protocol on a port of its own and checks what it is sent as the real one does.
"""

import asyncio
import base64
import json
import re
import time
from collections import Counter, defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from uuid import uuid4

import http_ece
import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from standardwebhooks import Webhook

PROJECT = "shop-1"


@asynccontextmanager
async def served(app: web.Application, port: int = 0):
    """The application on loopback; answers its port."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@dataclass
class Receiver:
    """A webhook's receiver: verifies what comes, keeps what it has taken.

    troubles: what the next requests meet, one after the other: a status, `slow`, or an address to
    be redirected to. An event counts as taken when it is answered 200.
    """

    secrets: list[str] = field(default_factory=list)
    troubles: list[int | str] = field(default_factory=list)
    taken: list[dict] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    met: Counter = field(default_factory=Counter)
    headers: list[dict] = field(default_factory=list)
    slow_s: float = 30.0
    at_once: int = 0
    most_at_once: int = 0

    async def handle(self, request: web.Request) -> web.Response:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self._answer(request)
        finally:
            self.at_once -= 1

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        trouble = self.troubles.pop(0) if self.troubles else None
        self.met[trouble] += 1
        if trouble == "slow":
            await asyncio.sleep(self.slow_s)
        if isinstance(trouble, str):
            return web.Response(status=307, headers={"Location": trouble})
        if trouble is not None:
            return web.Response(status=trouble)
        for secret in self.secrets:
            event = Webhook(secret).verify(body, dict(request.headers))
        self.headers.append(dict(request.headers))
        self.ids.append(request.headers["webhook-id"])
        self.taken.append(event)
        return web.Response()

    def of_stream(self, stream_id) -> list[str]:
        """The types of what was taken about the stream, in the order of coming, each event once."""
        first = dict(reversed([*zip(self.ids, self.taken, strict=True)]))
        taken = [one for at, one in zip(self.ids, self.taken, strict=True) if first[at] is one]
        return [one["type"] for one in taken if one["data"]["streamId"] == str(stream_id)]

    @asynccontextmanager
    async def listening(self, port: int = 0):
        """Answers its address."""
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self.handle)
        async with served(app, port) as at:
            yield f"http://127.0.0.1:{at}/hook"


class FakeFcm:
    """Firebase Cloud Messaging: OAuth for service accounts, and HTTP v1's `messages:send`."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._tokens: dict[str, float] = {}
        self.life_s = 3600
        self.told: Counter = Counter()
        self.messages: dict[str, dict] = {}
        self.dead: set[str] = set()
        self.troubles: dict[str, list[int]] = defaultdict(list)
        self.met: Counter = Counter()
        self.tokens_given = 0
        self.url = ""

    @asynccontextmanager
    async def listening(self):
        app = web.Application()
        app.router.add_post("/token", self._give_token)
        app.router.add_post("/v1/projects/{project}/{what:messages:send}", self._send)
        async with served(app) as port:
            self.url = f"http://127.0.0.1:{port}"
            yield self

    def credentials(self, folder: Path) -> Path:
        """A service account's key file."""
        pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        account = {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": "k1",
            "private_key": pem.decode(),
            "client_email": f"golive@{PROJECT}.iam.gserviceaccount.com",
            "token_uri": f"{self.url}/token",
        }
        file = folder / "service-account.json"
        file.write_text(json.dumps(account))
        return file

    def revoke_tokens(self) -> None:
        self._tokens.clear()

    async def _give_token(self, request: web.Request) -> web.Response:
        form = await request.post()
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        claims = jwt.decode(
            form["assertion"],
            self._key.public_key(),
            algorithms=["RS256"],
            audience=f"{self.url}/token",
            options={"require": ["exp", "iat", "iss"]},
        )
        assert claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging"
        token = f"ya29.{uuid4().hex}"
        self.tokens_given += 1
        self._tokens[token] = time.monotonic() + self.life_s
        answer = {"access_token": token, "expires_in": self.life_s, "token_type": "Bearer"}
        return web.json_response(answer)

    async def _send(self, request: web.Request) -> web.Response:
        bearer = request.headers["Authorization"].removeprefix("Bearer ")
        if self._tokens.get(bearer, 0) < time.monotonic():
            return _fcm_error(401, "UNAUTHENTICATED")
        assert request.match_info["project"] == PROJECT
        message = (await request.json())["message"]
        assert all(isinstance(value, str) for value in message["data"].values())
        token = message["token"]
        if self.troubles[token]:
            status = self.troubles[token].pop()
            self.met[status] += 1
            word = {429: "QUOTA_EXCEEDED", 503: "UNAVAILABLE", 500: "INTERNAL"}[status]
            return _fcm_error(status, word, {"Retry-After": "1"})
        if token in self.dead:
            self.met[404] += 1
            return _fcm_error(404, "UNREGISTERED")
        self.told[token] += 1
        self.messages[token] = message
        return web.json_response({"name": f"projects/{PROJECT}/messages/{uuid4()}"})


def _fcm_error(status: int, code: str, headers: dict | None = None) -> web.Response:
    words = {401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
    detail = {
        "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError",
        "errorCode": code,
    }
    error = {
        "code": status,
        "message": "No.",
        "status": words.get(status, code),
        "details": [detail],
    }
    return web.json_response({"error": error}, status=status, headers=headers)


class FakeWebPush:
    """A Web Push service and the browsers behind it: verifies VAPID, decrypts what comes."""

    def __init__(self) -> None:
        self.browsers: dict[str, tuple[ec.EllipticCurvePrivateKey, bytes]] = {}
        self.received: dict[str, list[dict]] = defaultdict(list)
        self.headers: dict[str, dict] = {}
        self.troubles: dict[str, list[int]] = defaultdict(list)
        self.location = ""
        self.url = ""
        self.application_server_key = ""

    @asynccontextmanager
    async def listening(self):
        app = web.Application()
        app.router.add_post("/push/{name}", self._push)
        async with served(app) as port:
            self.url = f"http://127.0.0.1:{port}"
            yield self

    def subscribe(self, name: str) -> dict:
        """A browser's PushSubscription."""
        key, auth = ec.generate_private_key(ec.SECP256R1()), uuid4().bytes
        self.browsers[name] = (key, auth)
        point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        keys = {"p256dh": _base64url(point), "auth": _base64url(auth)}
        return {"endpoint": f"{self.url}/push/{name}", "keys": keys}

    async def _push(self, request: web.Request) -> web.Response:
        name, body = request.match_info["name"], await request.read()
        self._verify_vapid(request.headers["Authorization"])
        if self.troubles[name]:
            status = self.troubles[name].pop(0)
            headers = {"Location": self.location}
            if status == HTTPStatus.TOO_MANY_REQUESTS:
                headers["Retry-After"] = "1"
            return web.Response(status=status, headers=headers)
        if name not in self.browsers:
            return web.Response(status=HTTPStatus.GONE)
        assert request.headers["Content-Encoding"] == "aes128gcm"
        assert int(request.headers["TTL"]) > 0
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,32}", request.headers["Topic"])
        key, auth = self.browsers[name]
        plain = http_ece.decrypt(body, private_key=key, auth_secret=auth, version="aes128gcm")
        self.received[name].append(json.loads(plain))
        self.headers[name] = dict(request.headers)
        return web.Response(status=HTTPStatus.CREATED)

    def _verify_vapid(self, header: str) -> None:
        """RFC 8292: who signs it is whom the browser has subscribed to."""
        found = re.fullmatch(r"vapid t=([^,]+), k=([A-Za-z0-9_-]+)", header)
        assert found is not None, header
        assert found[2] == self.application_server_key
        point = base64.urlsafe_b64decode(found[2] + "=" * (-len(found[2]) % 4))
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        claims = jwt.decode(found[1], key, algorithms=["ES256"], audience=self.url)
        assert claims["exp"] <= time.time() + 24 * 3600


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
