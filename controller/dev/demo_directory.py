"""The demo seller and product, made ready as any host would: with a token, through the API."""

from http import HTTPStatus
from pathlib import Path

import aiohttp

from controller.auth.bearer import TokenRules
from controller.auth.issuing import TokenIssuer, standalone_user_id
from controller.dev.demo_stream import DemoAccess
from controller.dev.errors import DemoError
from controller.domain.people import Identity, Role
from controller.errors import ControllerError
from controller.secrets_file import load_secrets
from controller.settings import Settings
from controller.system_clock import SystemClock

_USERNAME = "demo"
_PRODUCT_ID = "a0d7a6f2-6d1e-5a43-9d53-0d1d4b6c2e11"
_PRODUCT = {"title": "Demo product", "price": 19.9, "currency": "EUR"}
_API_TIMEOUT_S = 10.0
_SHOWN_CHARACTERS = 300


class StandaloneDirectory:
    """A seller of an installation that issues its own tokens, and a product of theirs."""

    def __init__(self, settings: Settings, data_dir: Path, local_url: str) -> None:
        self._settings = settings
        self._data_dir = data_dir
        self._product_url = f"{local_url}/api/v1/products/{_PRODUCT_ID}"

    async def access(self) -> DemoAccess:
        """A fresh token of a seller who has a product; DemoError."""
        token = self._token()
        await self._put_product(token)
        return DemoAccess(token=token, product_id=_PRODUCT_ID)

    def _token(self) -> str:
        """Signed with the secret that the daemon checks with, wherever the settings keep it."""
        settings = self._settings
        rules = TokenRules(
            algorithm=settings.auth_algorithm,
            audience=settings.auth_audience,
            issuer=settings.auth_issuer,
        )
        seller = Identity(standalone_user_id(_USERNAME), _USERNAME, Role.SELLER)
        try:
            secrets = load_secrets(
                self._data_dir,
                settings.auth_secret.get_secret_value(),
                settings.key_secret.get_secret_value(),
            )
            return TokenIssuer(secrets.auth, rules, SystemClock()).issue(seller)
        except ControllerError as error:
            raise DemoError(f"The demo seller gets no token: {error.detail}") from error

    async def _put_product(self, token: str) -> None:
        timeout = aiohttp.ClientTimeout(total=_API_TIMEOUT_S)
        headers = {"Authorization": f"Bearer {token}"}
        try:
            async with (
                aiohttp.ClientSession(headers=headers, timeout=timeout) as session,
                session.put(self._product_url, json=_PRODUCT) as answer,
            ):
                if answer.status not in {HTTPStatus.OK, HTTPStatus.CREATED}:
                    said = " ".join((await answer.text()).split())[:_SHOWN_CHARACTERS]
                    raise DemoError(f"The demo product could not be made: {said}")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DemoError(f"The API did not answer ({type(error).__name__}).") from error
