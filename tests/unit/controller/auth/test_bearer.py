"""Bearer tokens: the pinned algorithm, the claims, and each kind of key."""

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from controller.auth.bearer import BearerTokens, TokenRules
from controller.auth.verification_keys import ConfiguredKey
from controller.domain.people import Role
from controller.errors import ConfigurationError, NotAuthenticated
from tests.support.tokens import SECRET, bearer_token

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


def shared(**rules) -> BearerTokens:
    return BearerTokens(TokenRules("HS256", **rules), ConfiguredKey(SECRET.encode(), "HS256"))


def private_key(algorithm):
    if algorithm == "RS256":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return ed25519.Ed25519PrivateKey.generate()


def public_pem(private) -> bytes:
    return private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


async def test_a_token_says_who_is_calling():
    token = bearer_token(sub=ID, role="both", username="Alice", avatar_url="https://x/a.png")
    identity = await shared().verify(token)
    assert str(identity.user_id) == ID
    assert (identity.username, identity.role) == ("Alice", Role.BOTH)
    assert identity.avatar_url == "https://x/a.png"


@pytest.mark.parametrize(
    "url", [None, "", 5, "javascript:alert(1)", "https://x/" + "a" * 2048, "https://x/\n"]
)
async def test_a_bad_picture_is_left_out(url):
    assert (await shared().verify(bearer_token(avatar_url=url))).avatar_url is None


async def test_an_expired_token_is_told_apart_and_skew_is_forgiven():
    with pytest.raises(NotAuthenticated, match="expired"):
        await shared(leeway_s=30).verify(bearer_token(life_s=-60))
    await shared(leeway_s=30).verify(bearer_token(life_s=-10))
    with pytest.raises(NotAuthenticated):
        await shared(leeway_s=0).verify(bearer_token(life_s=-10))


@pytest.mark.parametrize(
    ("rules", "claims", "good"),
    [
        ({}, {"aud": "anyone", "iss": "anyone"}, True),
        ({"audience": "golive"}, {"aud": "golive"}, True),
        ({"audience": "golive"}, {"aud": ["shop", "golive"]}, True),
        ({"audience": "golive"}, {"aud": "shop"}, False),
        ({"audience": "golive"}, {}, False),
        ({"issuer": "https://id"}, {"iss": "https://id"}, True),
        ({"issuer": "https://id"}, {"iss": "https://evil"}, False),
        ({"issuer": "https://id"}, {}, False),
    ],
)
async def test_audience_and_issuer_are_checked_when_configured(rules, claims, good):
    verified = shared(**rules).verify(bearer_token(**claims))
    if good:
        await verified
    else:
        with pytest.raises(NotAuthenticated):
            await verified


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_public_key_verifies_its_own_algorithm_only(algorithm):
    private = private_key(algorithm)
    pem = public_pem(private)
    tokens = BearerTokens(TokenRules(algorithm), ConfiguredKey(pem, algorithm))
    assert (await tokens.verify(bearer_token(private, algorithm, sub=ID))).role is Role.BUYER
    for forged in (
        bearer_token(private_key(algorithm), algorithm),
        bearer_token(SECRET, "HS256"),
        jwt.encode({"sub": ID}, None, algorithm="none"),
    ):
        with pytest.raises(NotAuthenticated):
            await tokens.verify(forged)


def test_a_public_key_is_no_shared_secret():
    """The classic confusion: whoever has the public key would be able to sign."""
    with pytest.raises(ConfigurationError):
        ConfiguredKey(public_pem(private_key("RS256")), "HS256")
    with pytest.raises(ConfigurationError):
        ConfiguredKey(SECRET.encode(), "RS256")
    with pytest.raises(ConfigurationError):
        ConfiguredKey(public_pem(private_key("ES256")), "EdDSA")


async def test_a_weak_key_is_not_used():
    weak = ConfiguredKey(b"short", "HS256")
    with pytest.warns(match="below"):
        token = jwt.encode({"sub": ID, "exp": 4_000_000_000}, b"short")
    with pytest.raises(NotAuthenticated):
        await BearerTokens(TokenRules("HS256"), weak).verify(token)


async def test_no_message_quotes_a_token():
    token = bearer_token(life_s=-999)
    with pytest.raises(NotAuthenticated) as caught:
        await shared().verify(token)
    assert caught.value.__cause__ is None
    assert not any(part in str(caught.value) for part in token.split("."))
