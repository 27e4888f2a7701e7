"""Malformed requests, one a line: each a clear 4xx problem that names what is wrong."""

import base64
import io
import json
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from yarl import URL

from tests.http.running_api import RunningApi
from tests.support.tokens import SECRET, bearer_token, person

HOST = person("both")
ID = str(uuid4())
NEW = {"title": "Mugs", "category": "kitchen"}
PRODUCT = {"title": "Mug", "price": 1, "currency": "EUR"}
DEEP = b'{"title":' + b"[" * 50_000 + b"]" * 50_000 + b"}"


@dataclass(frozen=True)
class Malformed:
    """A request, and the status and place (`location.field`, or a code) of what is wrong."""

    what: str
    method: str
    path: str
    status: int
    where: str
    json: Any = None
    raw: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


def create(what: str, where: str, **fields: Any) -> Malformed:
    return Malformed(what, "POST", "/streams", 422, f"body.{where}", {**NEW, **fields})


def raw(what: str, status: int, where: str, body: bytes, content_type="application/json"):
    headers = {"Content-Type": content_type}
    return Malformed(what, "POST", "/streams", status, where, raw=body, headers=headers)


def listing(what: str, where: str, query: str) -> Malformed:
    return Malformed(what, "GET", f"/streams?{query}", 422, f"query.{where}")


def id_in_path(what: str, word: str) -> Malformed:
    return Malformed(what, "GET", f"/streams/{word}", 422, "path.stream_id")


def put(what: str, where: str, path: str, body: Any) -> Malformed:
    return Malformed(what, "PUT", path, 422, f"body.{where}".rstrip("."), body)


def product(what: str, where: str, **fields: Any) -> Malformed:
    return put(what, where, f"/products/{ID}", {**PRODUCT, **fields})


def tag(what: str, where: str, **fields: Any) -> Malformed:
    path = f"/streams/{ID}/products/{ID}/tag"
    return Malformed(what, "POST", path, 422, f"body.{where}", {"x": 0, "y": 0, **fields})


CASES = [
    # wrong types
    create("title a number", "title", title=5),
    create("title null", "title", title=None),
    create("title a list", "title", title=["Mugs"]),
    create("title an object", "title", title={"en": "Mugs"}),
    create("category a boolean", "category", category=True),
    create("description a number", "description", description=1),
    create("duration as text", "estimated_duration", estimated_duration="30"),
    create("duration a fraction", "estimated_duration", estimated_duration=30.5),
    create("duration a boolean", "estimated_duration", estimated_duration=True),
    create("chat as text", "enable_chat", enable_chat="yes"),
    create("chat as a number", "enable_chat", enable_chat=1),
    create("products as text", "product_ids", product_ids=ID),
    create("products an object", "product_ids", product_ids={"0": ID}),
    create("product a number", "product_ids.0", product_ids=[5]),
    create("time a number", "scheduled_at", scheduled_at=1_800_000_000),
    Malformed("body a list", "POST", "/streams", 422, "body", [NEW]),
    Malformed("body a text", "POST", "/streams", 422, "body", "Mugs"),
    Malformed("body null", "POST", "/streams", 422, "body", raw=b"null", headers={"Content-Type": "application/json"}),
    # missing, out of range, over-long
    Malformed("no title", "POST", "/streams", 422, "body.title", {"category": "kitchen"}),
    Malformed("no category", "POST", "/streams", 422, "body.category", {"title": "Mugs"}),
    create("title empty", "title", title=""),
    create("title blank", "title", title="   "),
    create("title of 151", "title", title="x" * 151),
    create("title of 151 emoji", "title", title="🔥" * 151),
    create("description of 501", "description", description="x" * 501),
    create("duration of 4", "estimated_duration", estimated_duration=4),
    create("duration of 241", "estimated_duration", estimated_duration=241),
    create("duration beyond 64 bits", "estimated_duration", estimated_duration=10**30),
    create("unknown audience", "audience", audience="friends"),
    create("audience in capitals", "audience", audience="EVERYONE"),
    create("101 products", "product_ids", product_ids=[ID] * 101),
    create("time without offset", "scheduled_at", scheduled_at="2027-01-01T10:00:00"),
    create("time of the year 9999", "scheduled_at", scheduled_at="9999-12-31T23:59:59-23:59"),
    create("time of the year 1", "scheduled_at", scheduled_at="0001-01-01T00:00:00+23:59"),
    create("no time at all", "scheduled_at", scheduled_at="tomorrow"),
    # null bytes and control characters
    create("null byte in a title", "title", title="Mu\0gs"),
    create("null byte in a description", "description", description="Mu\0gs"),
    create("escape in a category", "category", category="\x1b[31mred"),
    listing("null byte in a query", "category", "category=a%00b"),
    # not JSON, or not as JSON
    raw("no body", 400, "malformed_json", b""),
    raw("half an object", 400, "malformed_json", b'{"title": "Mugs"'),
    raw("two objects", 400, "malformed_json", b'{"title": "Mugs"}{}'),
    raw("a single quote", 400, "malformed_json", b"{'title': 'Mugs'}"),
    raw("broken UTF-8", 400, "malformed_json", b'{"title": "\xff\xfe", "category": "x"}'),
    raw("half a UTF-8 sequence", 400, "malformed_json", b'{"title": "\xf0\x9f", "category": "x"}'),
    raw("a lone surrogate", 400, "malformed_json", b'{"title": "\\ud83d", "category": "x"}'),
    raw("UTF-16", 400, "malformed_json", json.dumps(NEW).encode("utf-16")),
    raw("nested 50 000 deep", 413, "payload_too_large", DEEP),
    raw("nested 5 000 deep", 400, "malformed_json", DEEP[:5_000]),
    raw("10 MB", 413, "payload_too_large", b'{"title": "' + b"x" * 10_000_000 + b'"}'),
    raw("a form", 415, "unsupported_media_type", b"title=Mugs", "application/x-www-form-urlencoded"),
    raw("plain text", 415, "unsupported_media_type", json.dumps(NEW).encode(), "text/plain"),
    raw("XML", 415, "unsupported_media_type", b"<title/>", "application/xml"),
    raw("another charset", 415, "unsupported_media_type", b"{}", "application/json; charset=latin-1"),
    raw("infinity", 422, "body.estimated_duration", b'{"title":"a","category":"b","estimated_duration":1e400}'),
    # UUID tricks
    id_in_path("no UUID", "mugs"),
    id_in_path("braces", f"%7B{ID}%7D"),
    id_in_path("URN", f"urn:uuid:{ID}"),
    id_in_path("no hyphens", ID.replace("-", "")),
    id_in_path("one digit too few", ID[:-1]),
    id_in_path("one digit too many", ID + "0"),
    id_in_path("full-width digits", "%EF%BC%91" + ID[1:]),
    id_in_path("null byte", f"{ID}%00"),
    id_in_path("line feed", f"{ID}%0A"),
    id_in_path("SQL", "1'%20OR%20'1'='1"),
    create("braces in the body", "product_ids.0", product_ids=[f"{{{ID}}}"]),
    # queries
    listing("limit 0", "limit", "limit=0"),
    listing("limit 101", "limit", "limit=101"),
    listing("limit with a sign", "limit", "limit=%2B5"),
    listing("limit with an underscore", "limit", "limit=1_0"),
    listing("limit empty", "limit", "limit="),
    listing("limit twice", "limit", "limit=5&limit=6"),
    listing("unknown status", "status", "status=paused"),
    listing("user no UUID", "user_id", "user_id=me"),
    listing("cursor invented", "cursor", "cursor=next"),
    listing("cursor cut", "cursor", "cursor=AAAA"),
    # other calls
    tag("x beyond the picture", "x", x=1.01),
    tag("y negative", "y", y=-0.01),
    tag("x as text", "x", x="0.5"),
    tag("negative seconds", "timestamp_seconds", timestamp_seconds=-1),
    product("negative price", "price", price=-1),
    product("price as text", "price", price="12.50"),
    product("price with five decimals", "price", price=0.00001),
    product("currency in small letters", "currency", currency="eur"),
    product("a script as picture", "image_urls.0", image_urls=["javascript:alert(1)"]),
    put("latitude beyond the pole", "latitude", "/users/me", {"latitude": 91, "longitude": 0}),
    put("half a position", "", "/users/me", {"latitude": 50}),
    put("unknown kind of device", "", f"/users/me/devices/{ID}", {"kind": "pager"}),
    Malformed("unknown event", "POST", f"/streams/{ID}/products/{ID}/events", 422, "body.type", {"type": "like"}),
    Malformed("key with a space", "POST", "/streams", 422, "header.Idempotency-Key", NEW, headers={"Idempotency-Key": "a b"}),
    Malformed("key too long", "POST", "/streams", 422, "header.Idempotency-Key", NEW, headers={"Idempotency-Key": "k" * 201}),
    Malformed("go live half", "POST", f"/streams/{ID}/go-live", 422, "body.checklist_complete", {"camera_ready": True}),
    # no such call
    Malformed("unknown path", "GET", "/nothing", 404, "route_not_found"),
    Malformed("unknown method", "PATCH", "/streams", 405, "method_not_allowed", {}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
async def test_a_malformed_request_is_told_what_is_wrong(api: RunningApi, case: Malformed):
    url = URL(f"{api.base}/api/v1{case.path}", encoded=True)
    headers = {**HOST.headers, **case.headers}
    options = {"data": io.BytesIO(case.raw)} if case.raw is not None else {"json": case.json}
    async with api.session.request(case.method, url, headers=headers, **options) as response:
        problem = await response.json(content_type="application/problem+json")
    assert response.status == case.status, problem
    assert problem["status"] == case.status
    if case.status == 422:
        places = {f"{error['location']}.{error['field']}" for error in problem["errors"]}
        assert case.where in {place.rstrip(".") for place in places}, problem
    else:
        assert problem["code"] == case.where


def test_the_table_is_long_enough():
    assert len(CASES) >= 60


def none_algorithm() -> str:
    claims = {"sub": ID, "role": "admin", "username": "x", "exp": 4_000_000_000}
    parts = [{"alg": "none", "typ": "JWT"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return b".".join([*encoded, b""]).decode()


def other_key() -> str:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return bearer_token(pem, "RS256")


def tampered() -> str:
    header, _, signature = bearer_token().split(".")
    _, payload, _ = bearer_token(role="admin").split(".")
    return f"{header}.{payload}.{signature}"


TOKENS = {
    "expired": lambda: bearer_token(life_s=-3600),
    "no expiry": lambda: bearer_token(exp=None),
    "expiry as text": lambda: jwt.encode({"sub": ID, "exp": "soon"}, SECRET),
    "expiry at infinity": lambda: jwt.encode({"sub": ID, "exp": float("inf")}, SECRET),
    "not yet valid": lambda: bearer_token(nbf=4_000_000_000),
    "algorithm none": none_algorithm,
    "another algorithm": lambda: bearer_token(algorithm="HS512", secret=SECRET * 2),
    "another key": lambda: bearer_token(secret="another secret, which is long enough"),
    "another kind of key": other_key,
    "another payload": tampered,
    "no subject": lambda: bearer_token(sub=None),
    "subject no UUID": lambda: bearer_token(sub="alice"),
    "subject a number": lambda: jwt.encode({"sub": 5, "exp": 4_000_000_000}, SECRET),
    "no role": lambda: bearer_token(role=None),
    "unknown role": lambda: bearer_token(role="root"),
    "no username": lambda: bearer_token(username=None),
    "null byte in the username": lambda: bearer_token(username="a\0b"),
    "username of 101": lambda: bearer_token(username="x" * 101),
    "critical extension": lambda: bearer_token(headers={"crit": ["b65"], "b65": True}),
    "of 5 000 characters": lambda: bearer_token(username="x", padding="y" * 3700),
    "three dots": lambda: "...",
    "empty": lambda: "",
}


@pytest.mark.parametrize("make", TOKENS.values(), ids=TOKENS)
async def test_a_bad_token_is_refused_without_being_quoted(api: RunningApi, make):
    token = make()
    for method, path in (("GET", "/streams"), ("GET", "/users/me")):
        reply = await api.call(method, path, headers={"Authorization": f"Bearer {token}"})
        assert reply.status == 401
        assert reply.problem["code"] == "not_authenticated"
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")
        assert not token or token not in reply.text


@pytest.mark.parametrize("header", ["", "Bearer", "Basic YTpi", "Token x", "bearer\tx"])
async def test_another_scheme_is_no_authentication(api: RunningApi, header):
    reply = await api.call("GET", "/users/me", headers={"Authorization": header})
    assert (reply.status, reply.problem["code"]) == (401, "not_authenticated")


async def test_a_long_body_in_chunks_is_cut_off(api: RunningApi):
    async def chunks():
        for _ in range(200):
            yield b" " * 1024

    headers = {**HOST.headers, "Content-Type": "application/json"}
    try:
        reply = await api.call("POST", "/streams", data=chunks(), headers=headers)
    except aiohttp.ClientConnectionError:
        pytest.fail("the server must answer before it hangs up")
    assert (reply.status, reply.problem["code"]) == (413, "payload_too_large")
