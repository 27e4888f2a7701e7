"""Stands in front of an S3 server and behaves as Backblaze B2 does where B2 differs: it refuses
what B2 refuses, and on command it is away, slow, silent, overloaded or cuts connections.

It runs in a thread of its own, so that synchronous and asynchronous tests can use it alike.
"""

import asyncio
import io
import random
import threading
from collections import Counter
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from yarl import URL

_HOP_BY_HOP = {"connection", "transfer-encoding", "expect", "keep-alive"}
_START_S = 10.0
_PACE_BYTES = 16 << 10


@dataclass
class Faults:
    """What is wrong with the store; may be changed while it runs. Shares are of all requests."""

    away: bool = False
    hang: bool = False
    share_503: float = 0.0
    share_reset: float = 0.0
    share_reset_after: float = 0.0  # carried out, but the answer is cut off
    bytes_per_s: float = 0.0  # of each upload; 0: as fast as it goes
    latency_s: float = 0.0  # before each answer
    retry_after: str = ""


class B2Proxy:
    """`endpoint` before `upstream`; `faults` are its commands, the counters what it saw."""

    def __init__(self, upstream: str, seed: int = 1) -> None:
        self.faults = Faults()
        self.requests: Counter[str] = Counter()
        self.refused: list[str] = []
        self.puts: Counter[str] = Counter()
        self.answers: Counter[int] = Counter()
        self.put_headers: dict[str, dict[str, str]] = {}
        self.port = 0
        self._upstream = upstream
        self._chance = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="b2-proxy", daemon=True)
        self._session: aiohttp.ClientSession

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(_START_S)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_START_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{rest:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        async with aiohttp.ClientSession(
            auto_decompress=False, requote_redirect_url=False
        ) as self._session:
            self._ready.set()
            await self._stop.wait()
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests[request.method] += 1
        faults = self.faults
        if faults.hang:
            while self.faults.hang and not self._stop.is_set():
                await asyncio.sleep(0.02)
            return self._cut(request)
        if faults.away or self._happens(faults.share_reset):
            return self._cut(request)
        refusal = refused_by_b2(request)
        if refusal is not None:
            self.refused.append(refusal.reason_said)
            return refusal
        if self._happens(faults.share_503):
            return self._answered(slow_down(faults.retry_after))
        if faults.latency_s:
            await asyncio.sleep(faults.latency_s)
        body = await self._read(request)
        answer = await self._forward(request, body)
        if self._happens(faults.share_reset_after):
            return self._cut(request)
        return self._answered(answer)

    async def _read(self, request: web.Request) -> bytes:
        """The body, at the pace that the store has."""
        taken = bytearray()
        while chunk := await request.content.read(_PACE_BYTES):
            taken += chunk
            if self.faults.bytes_per_s:
                await asyncio.sleep(len(chunk) / self.faults.bytes_per_s)
        return bytes(taken)

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        headers = [(k, v) for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP]
        async with self._session.request(
            request.method,
            URL(f"{self._upstream}{request.raw_path}", encoded=True),
            headers=headers,
            data=io.BytesIO(body) if body or request.method in {"PUT", "POST"} else None,
            allow_redirects=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        ) as answer:
            response = web.Response(status=answer.status, body=await answer.read())
            response.headers.clear()
            for name, value in answer.headers.items():
                if name.lower() not in _HOP_BY_HOP | {"content-length"}:
                    response.headers.add(name, value)
            if request.method == "HEAD":
                response.headers["Content-Length"] = answer.headers.get("Content-Length", "0")
        if request.method == "PUT" and answer.status == 200:
            self.puts[request.path] += 1
            self.put_headers[request.path] = dict(request.headers)
        return response

    def _answered(self, response: web.Response) -> web.Response:
        self.answers[response.status] += 1
        return response

    def _happens(self, share: float) -> bool:
        return share > 0 and self._chance.random() < share

    @staticmethod
    def _cut(request: web.Request) -> web.Response:
        """Close the connection in the middle of everything."""
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)


class Refusal(web.Response):
    """An S3 error; `reason_said` is its message."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        text = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
        super().__init__(status=status, headers=headers, content_type="application/xml", text=text)
        self.reason_said = message


def slow_down(retry_after: str = "") -> Refusal:
    headers = {"Retry-After": retry_after} if retry_after else {}
    return Refusal(503, "SlowDown", "Please reduce your request rate.", **headers)


def refused_by_b2(request: web.Request) -> Refusal | None:  # noqa: PLR0911  a list of rules
    """What B2 answers to a request that it does not take; None when it takes it."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    for name in headers:
        if name.startswith(("x-amz-checksum-", "x-amz-sdk-checksum-", "x-amz-trailer")):
            return Refusal(400, "InvalidArgument", f"Unsupported header '{name}' received")
    if "aws-chunked" in headers.get("content-encoding", ""):
        return Refusal(400, "InvalidArgument", "aws-chunked is not supported")
    if not headers.get("authorization", "AWS4-HMAC-SHA256").startswith("AWS4-HMAC-SHA256"):
        return Refusal(400, "InvalidRequest", "Only signature version 4 is supported")
    if request.method == "PUT" and ("if-none-match" in headers or "if-match" in headers):
        return Refusal(501, "NotImplemented", "A header implies functionality not implemented")
    if "x-amz-tagging" in headers:
        return Refusal(501, "NotImplemented", "Tagging is not implemented")
    if headers.get("x-amz-acl", "private") not in {"private", "public-read"}:
        return Refusal(400, "InvalidArgument", "Unsupported canned ACL")
    if request.method == "PUT" and "content-length" not in headers:
        return Refusal(411, "MissingContentLength", "Content-Length is needed")
    if request.method == "POST" and request.content_type == "multipart/form-data":
        return Refusal(501, "NotImplemented", "POST Object is not implemented")
    return None
