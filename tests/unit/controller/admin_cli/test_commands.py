"""What administrators type, and what comes out."""

import asyncio
import re
from uuid import uuid4

import pytest
from click.testing import CliRunner

from controller.admin_cli.daemon import http_address
from controller.app import Addresses
from controller.auth.bearer import BearerTokens, TokenRules
from controller.auth.verification_keys import ConfiguredKey
from controller.cli import main
from controller.secrets_file import load_secrets
from controller.settings import load_settings
from controller.stores.migration import migrate

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture
def golive(tmp_path, monkeypatch):
    """Run `golive … --data FOLDER`; answers click's result."""
    monkeypatch.setenv("GOLIVE_LOG_FORMAT", "json")

    def run(*words: str, status: int = 0):
        done = CliRunner().invoke(main, [*words, "--data", str(tmp_path)])
        assert done.exit_code == status, done.output
        return done

    return run


@pytest.fixture
def installed(golive, tmp_path):
    asyncio.run(migrate(f"sqlite:///{tmp_path}/golive.db"))
    return golive


def bearer(tmp_path, word: str):
    secret = load_secrets(tmp_path).auth
    tokens = BearerTokens(TokenRules("HS256"), ConfiguredKey(secret, "HS256"))
    return asyncio.run(tokens.verify(word))


def test_a_token_and_nothing_else_is_printed_before_the_first_start(golive, tmp_path):
    printed = golive("token", "alice").stdout
    assert printed.count("\n") == 1
    identity = bearer(tmp_path, printed.strip())
    assert (identity.username, identity.role) == ("alice", "both")
    assert not (tmp_path / "golive.db").exists()


def test_a_token_is_for_the_user_of_the_directory(installed, tmp_path):
    user_id = installed("user", "add", "alice", "--role", "seller").stdout.strip()
    assert UUID.fullmatch(user_id)
    for name in ("alice", user_id):
        identity = bearer(tmp_path, installed("token", name).stdout.strip())
        assert (str(identity.user_id), identity.role) == (user_id, "seller")
    admin = bearer(tmp_path, installed("token", "alice", "--role", "admin").stdout.strip())
    assert admin.role == "admin"
    assert installed("user", "show", "alice").stdout == f"{user_id}\tseller\talice\n"


def test_a_role_is_changed_by_adding_again(installed):
    first = installed("user", "add", "alice", "--role", "buyer").stdout
    assert installed("user", "add", "alice", "--role", "both").stdout == first
    assert "\tboth\t" in installed("user", "show", "alice").stdout


def test_products_are_added_listed_and_deleted(installed):
    installed("user", "add", "alice")
    product_id = installed("product", "add", "alice", "A mug", "12.50", "EUR").stdout.strip()
    assert UUID.fullmatch(product_id)
    listed = installed("product", "list", "alice").stdout
    assert listed == f"{product_id}\t12.5\tEUR\tavailable\tA mug\n"
    installed("product", "delete", product_id)
    assert installed("product", "list", "alice").stdout == ""
    assert "Product not found" in installed("product", "delete", product_id, status=1).stderr


def test_webhooks_are_set_up_listed_and_forgotten(installed, tmp_path):
    installed("user", "add", "alice", "--role", "seller")
    url = "https://shop.test/hook"
    webhook_id, secret = installed("webhook", "add", url).stdout.strip().split("\t")
    assert secret.startswith("whsec_")
    assert installed("webhook", "rotate", webhook_id).stdout.strip() != secret
    theirs = installed(
        *("webhook", "add", url, "--seller", "alice", "--event", "stream.live")
    ).stdout.split("\t")[0]
    listed = installed("webhook", "list", "--seller", "alice").stdout
    assert listed == f"{theirs}\ton\t{url}\tstream.live\n"
    assert installed("webhook", "list").stdout.startswith(f"{webhook_id}\ton\t{url}\t")
    assert installed("webhook", "log", theirs, "--state", "dead").stdout == ""
    assert installed("webhook", "resend", theirs).stdout == "0 to be sent again\n"
    installed("webhook", "delete", theirs)
    assert installed("webhook", "list", "--seller", "alice").stdout == ""


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        (("webhook", "add", "ftp://shop.test/"), 2, "URL"),
        (("webhook", "add", "http://10.0.0.1/"), 2, "private network"),
        (("webhook", "add", "https://shop.test/", "--event", "x"), 2, "--event"),
        (("webhook", "log", str(uuid4())), 1, "Webhook not found"),
        (("user", "show", "nobody"), 1, "No user is called nobody"),
        (("product", "list", "nobody"), 1, "No user is called nobody"),
        (("product", "add", "alice", "Mug", "twelve", "EUR"), 2, "PRICE"),
        (("product", "add", "alice", "Mug", "1", "euro"), 2, "currency"),
        (("product", "add", "alice", "", "1", "EUR"), 2, "title"),
        (("user", "add", "a\x00b"), 2, "username"),
        (("stream", "show", str(uuid4())), 1, "Stream not found"),
        (("stream", "cancel", str(uuid4())), 1, "Stream not found"),
        (("stream", "show", "mugs"), 2, "mugs"),
        (("stream", "end", str(uuid4())), 1, "does not answer"),
        (("token", "alice", "--role", "root"), 2, "root"),
        (("token", "alice", "--hours", "0"), 2, "--hours"),
    ],
)
def test_a_failure_is_one_line_with_the_reason(installed, words, status, reason):
    failed = installed(*words, status=status)
    assert reason in failed.stderr
    assert failed.stdout == ""
    assert "Traceback" not in failed.stderr


def test_without_a_database_the_way_to_one_is_told(golive, tmp_path):
    assert "golive migrate" in golive("stream", "list", status=1).stderr
    assert not (tmp_path / "golive.db").exists()


def test_an_outdated_database_is_told(golive, tmp_path):
    asyncio.run(migrate(f"sqlite:///{tmp_path}/golive.db", "0001"))
    assert "golive migrate" in golive("user", "show", "alice", status=1).stderr


def test_who_only_verifies_tokens_does_not_sign_them(golive, monkeypatch):
    monkeypatch.setenv("GOLIVE_AUTH_ALGORITHM", "RS256")
    monkeypatch.setenv("GOLIVE_AUTH_JWKS_URL", "https://issuer.example/keys")
    assert "RS256" in golive("token", "alice", status=1).stderr


@pytest.mark.parametrize("listen", ["", "127.0.0.1:8123", "unix:/run/golive/http.sock"])
def test_the_server_is_asked_where_it_listens(tmp_path, listen):
    settings = load_settings(None, data_dir=tmp_path, http_listen=listen)
    assert http_address(settings) == Addresses.of(settings).http
