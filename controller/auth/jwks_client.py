"""Fetches a JWK Set over HTTP, with a bound on time and size."""

import aiohttp

FETCH_TIMEOUT_S = 5.0
MOST_BYTES = 256 * 1024


class JwksClient:
    """Callable that answers the document's bytes; OSError or ValueError when it cannot."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def __call__(self) -> bytes:
        """One GET, without redirects: the configured address is the one that is trusted."""
        timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S)
        try:
            async with self._session.get(
                self._url, timeout=timeout, allow_redirects=False
            ) as response:
                if response.status != 200:  # noqa: PLR2004
                    raise ValueError(f"the issuer answered {response.status}")
                body = await response.content.read(MOST_BYTES + 1)
                while chunk := await response.content.read(MOST_BYTES + 1 - len(body)):
                    body += chunk
        except aiohttp.ClientError as error:
            raise OSError("the issuer does not answer") from error
        if len(body) > MOST_BYTES:
            raise ValueError("the issuer's document is too large")
        return body
