"""One GET, whatever the answer is."""

import urllib.error
import urllib.request


def get(url: str) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and header fields."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), dict(error.headers)
