"""A message to whatever listens at a secret address: of that nothing is ever said, not even its host."""

from __future__ import annotations

from html import escape

from scripts.lib.github.api import TIMEOUT

VARIABLE = "ROLLBACK_WEBHOOK"


def post(address: str, text: str) -> str:
    """Why it was not taken; "" if it was. In the form that incoming webhooks of Slack and of Teams take."""
    import requests

    if not address.lower().startswith("https://"):
        return f"{VARIABLE} is no address that begins with https://"
    try:
        message = {"text": escape(text, quote=False)}  # what answers hold can't call everybody
        status = requests.post(address, json=message, timeout=TIMEOUT, allow_redirects=False).status_code
    except (requests.RequestException, ValueError) as error:  # whose words have the address
        return f"no answer ({type(error).__name__})"
    return "" if 200 <= status < 300 else f"HTTP {status}"
