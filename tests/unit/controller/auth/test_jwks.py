"""Published keys: fetched when needed, kept, rotated, and not hammered."""

import asyncio
import json
from dataclasses import dataclass, field

import jwt
import pytest
from aiohttp import ClientSession, web
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from controller.auth.bearer import BearerTokens, TokenRules
from controller.auth.jwks_client import MOST_BYTES, JwksClient
from controller.auth.verification_keys import (
    KEY_LIFE_S,
    LEAST_BETWEEN_FETCHES_S,
    STALE_LIMIT_S,
    JwksKeys,
    UnknownKey,
)
from controller.errors import NotAuthenticated
from tests.support.tokens import bearer_token


@dataclass
class Issuer:
    """Publishes keys; counts how often it is asked."""

    keys: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)
    extra: list[dict] = field(default_factory=list)
    fetches: int = 0
    is_down: bool = False
    now: float = 1000.0

    def rotate_in(self, kid: str) -> None:
        self.keys[kid] = ec.generate_private_key(ec.SECP256R1())

    def token(self, kid: str, *, named: bool = True) -> str:
        headers = {"kid": kid} if named else None
        return bearer_token(self.keys[kid], "ES256", headers=headers)

    async def __call__(self) -> bytes:
        self.fetches += 1
        await asyncio.sleep(0)
        if self.is_down:
            raise OSError("down")
        listed = [
            {**jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid}
            for kid, key in self.keys.items()
        ]
        return json.dumps({"keys": listed + self.extra}).encode()


@pytest.fixture
def issuer():
    made = Issuer()
    made.rotate_in("one")
    return made


@pytest.fixture
def tokens(issuer):
    keys = JwksKeys(issuer, "ES256", lambda: issuer.now)
    return BearerTokens(TokenRules("ES256"), keys)


async def test_keys_are_fetched_once_and_kept(issuer, tokens):
    await asyncio.gather(*(tokens.verify(issuer.token("one")) for _ in range(20)))
    assert issuer.fetches == 1
    issuer.now += KEY_LIFE_S + 1
    await tokens.verify(issuer.token("one"))
    assert issuer.fetches == 2


async def test_a_new_key_is_known_at_its_first_token(issuer, tokens):
    await tokens.verify(issuer.token("one"))
    issuer.rotate_in("two")
    issuer.now += LEAST_BETWEEN_FETCHES_S
    await tokens.verify(issuer.token("two"))
    await tokens.verify(issuer.token("one"))
    assert issuer.fetches == 2


async def test_a_withdrawn_key_stops_working(issuer, tokens):
    old = issuer.token("one")
    await tokens.verify(old)
    issuer.keys.clear()
    issuer.rotate_in("two")
    issuer.now += KEY_LIFE_S + 1
    with pytest.raises(NotAuthenticated):
        await tokens.verify(old)


async def test_invented_key_names_do_not_hammer_the_issuer(issuer, tokens):
    for number in range(50):
        forged = bearer_token(issuer.keys["one"], "ES256", headers={"kid": f"invented-{number}"})
        with pytest.raises(NotAuthenticated):
            await tokens.verify(forged)
    assert issuer.fetches == 1


async def test_a_token_without_a_key_name_uses_the_only_key(issuer, tokens):
    await tokens.verify(issuer.token("one", named=False))
    issuer.rotate_in("two")
    issuer.now += KEY_LIFE_S + 1
    with pytest.raises(NotAuthenticated):
        await tokens.verify(issuer.token("one", named=False))


async def test_known_keys_work_while_the_issuer_is_down_but_not_for_ever(issuer, tokens):
    await tokens.verify(issuer.token("one"))
    issuer.is_down = True
    issuer.now += KEY_LIFE_S * 3
    await tokens.verify(issuer.token("one"))
    issuer.now += STALE_LIMIT_S
    with pytest.raises(NotAuthenticated):
        await tokens.verify(issuer.token("one"))


async def test_an_issuer_that_never_answered_lets_nobody_in(issuer, tokens):
    issuer.is_down = True
    with pytest.raises(NotAuthenticated):
        await tokens.verify(issuer.token("one"))


async def test_keys_of_other_kinds_are_passed_over(issuer, tokens):
    weak = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    issuer.extra = [
        {"kty": "oct", "k": "AAAA", "kid": "symmetric"},
        {**jwt.algorithms.RSAAlgorithm.to_jwk(weak, as_dict=True), "kid": "rsa"},
        {"kty": "EC", "kid": "half"},
        "nonsense",
    ]
    await tokens.verify(issuer.token("one"))


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": []}', b"[" * 100_000]
)
async def test_what_is_no_key_set_gives_no_key(document):
    async def fetch():
        return document

    with pytest.raises(UnknownKey):
        await JwksKeys(fetch, "ES256", lambda: 1000.0).key_for("one")


async def test_the_client_bounds_size_and_trusts_no_redirect():
    async def keys(_request):
        return web.Response(body=b'{"keys": []}')

    async def large(_request):
        return web.Response(body=b" " * (MOST_BYTES + 1))

    async def elsewhere(_request):
        return web.Response(status=302, headers={"Location": "/keys"})

    app = web.Application()
    app.add_routes([web.get("/keys", keys), web.get("/large", large), web.get("/moved", elsewhere)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with ClientSession() as session:
        assert await JwksClient(session, f"{base}/keys")() == b'{"keys": []}'
        for path in ("large", "moved", "missing"):
            with pytest.raises(ValueError, match="issuer"):
                await JwksClient(session, f"{base}/{path}")()
        await runner.cleanup()
        with pytest.raises(OSError, match="does not answer"):
            await JwksClient(session, f"{base}/keys")()
