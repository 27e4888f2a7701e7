"""Keys and secrets: what is made, what is kept, what is shown."""

import base64
import time
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from standardwebhooks import Webhook

from controller.auth.webhook_secrets import WebhookSecrets
from controller.domain.webhooks import BackOff
from controller.errors import ConfigurationError
from controller.notify.fcm import ServiceAccount
from controller.notify.vapid import VapidKey
from controller.notify.webhook_signing import webhook_headers

SECRET = b"only these tests know this secret, 32 bytes long"


def test_a_secret_is_one_for_the_standards_libraries():
    endpoint_id = uuid4()
    secrets = WebhookSecrets(SECRET)
    shown, sealed = secrets.issue(endpoint_id)
    assert shown.startswith("whsec_")
    assert base64.b64decode(shown.removeprefix("whsec_")) not in sealed
    key = secrets.open(endpoint_id, sealed)
    headers = webhook_headers(uuid4(), time.time(), b'{"type":"x"}', [key])
    assert Webhook(shown).verify(b'{"type":"x"}', headers) == {"type": "x"}
    with pytest.raises(Exception, match="signature"):
        Webhook(shown).verify(b'{"type":"y"}', headers)


def test_a_secret_opens_for_its_endpoint_and_installation_only():
    endpoint_id = uuid4()
    _, sealed = WebhookSecrets(SECRET).issue(endpoint_id)
    assert WebhookSecrets(SECRET).open(uuid4(), sealed) is None
    assert WebhookSecrets(SECRET[::-1]).open(endpoint_id, sealed) is None


def test_the_push_key_is_the_same_for_the_same_installation():
    assert VapidKey.derive(SECRET).public == VapidKey.derive(SECRET).public
    assert VapidKey.derive(SECRET).public != VapidKey.derive(SECRET[::-1]).public
    assert len(base64.urlsafe_b64decode(VapidKey.derive(SECRET).public + "=")) == 65


def pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_a_push_key_of_the_operators_is_read(tmp_path):
    file = tmp_path / "vapid.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    file.write_bytes(pem(key))
    assert VapidKey.read(file).public == VapidKey(key).public
    for wrong in (b"hush", pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))):
        file.write_bytes(wrong)
        with pytest.raises(ConfigurationError) as refused:
            VapidKey.read(file)
        assert "hush" not in refused.value.detail


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"project_id": "hush", "private_key": "hush"}'])
def test_a_file_that_is_no_service_account_is_refused_without_quoting_it(tmp_path, text):
    file = tmp_path / "account.json"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        ServiceAccount.read(file)
    assert "hush" not in refused.value.detail


def test_pauses_grow_to_a_bound_and_never_undercut_what_was_asked_for():
    back_off = BackOff(first_s=2.0, factor=3.0, longest_s=100.0, attempts=14)
    assert [back_off.pause_s(n, 0.0) for n in (1, 2, 3, 4, 5, 10_000)] == [2, 6, 18, 54, 100, 100]
    assert back_off.pause_s(1, 1.0) == 3.0
    assert back_off.pause_s(1, 0.0, asked_s=50.0) == 50.0
    assert back_off.pause_s(1, 0.0, asked_s=1e9) == 100.0
    assert not back_off.is_last(13)
    assert back_off.is_last(14)
