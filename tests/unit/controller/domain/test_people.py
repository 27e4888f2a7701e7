"""Roles."""

import pytest

from controller.domain.people import Role


@pytest.mark.parametrize(
    ("role", "sells"), [("buyer", False), ("seller", True), ("both", True), ("admin", False)]
)
def test_sellers_sell(role, sells):
    assert Role(role).sells is sells
