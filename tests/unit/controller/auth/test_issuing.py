"""Tokens that this installation signs for itself."""

from datetime import UTC, datetime, timedelta

import pytest

from controller.auth.bearer import BearerTokens, TokenRules
from controller.auth.issuing import TokenIssuer, standalone_user_id
from controller.auth.verification_keys import ConfiguredKey
from controller.domain.people import Identity, Role
from controller.errors import ConfigurationError, NotAuthenticated
from controller.system_clock import SystemClock
from tests.support.tokens import SECRET


class LongAgo:
    def now(self):
        return datetime.now(UTC) - timedelta(hours=25)


async def test_an_issued_token_is_accepted_here():
    rules = TokenRules("HS256", audience="golive", issuer="me")
    somebody = Identity(standalone_user_id("Zoë 🔥"), "Zoë 🔥", Role.SELLER, "https://x/z.png")
    tokens = BearerTokens(rules, ConfiguredKey(SECRET.encode(), "HS256"))
    issued = TokenIssuer(SECRET.encode(), rules, SystemClock()).issue(somebody)
    assert await tokens.verify(issued) == somebody
    old = TokenIssuer(SECRET.encode(), rules, LongAgo()).issue(somebody)
    with pytest.raises(NotAuthenticated):
        await tokens.verify(old)


def test_a_name_has_one_id_and_another_name_another():
    assert standalone_user_id("alice") == standalone_user_id("alice")
    assert standalone_user_id("alice") != standalone_user_id("Alice")


def test_who_only_verifies_does_not_sign():
    with pytest.raises(ConfigurationError, match="RS256"):
        TokenIssuer(SECRET.encode(), TokenRules("RS256"), SystemClock())
