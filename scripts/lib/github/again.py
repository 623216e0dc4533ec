"""When a question to GitHub is worth asking again, and how much later.

Its troubles pass within minutes. A limit's 403 is no lack of rights: words or headers say so
(docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import requests

PATIENCE = 240.0  # seconds that all questions of a script wait together
FIRST = 1.0  # seconds before a question is asked again, then twice as many each time
LIMITED = 60.0  # seconds to wait at least after a limit that names no time


def limited(response: requests.Response) -> bool:
    """Whether GitHub says that it was asked too much, not that it mustn't tell."""
    told = response.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in response.headers
    words = "rate limit" in response.text.lower()
    return response.status_code == 429 or (response.status_code == 403 and (told or words))


def pause(response: requests.Response | None, tries: int) -> float | None:
    """Seconds to wait, None where another try is of no use. `tries` were in vain before; None is a lost connection."""
    growing = FIRST * 2.0**tries
    if response is None:
        return growing
    least = LIMITED if limited(response) else 0.0 if response.status_code >= 500 else None
    if least is None:
        return None
    after, reset = (response.headers.get(name, "") for name in ("retry-after", "x-ratelimit-reset"))
    if after.isdigit():
        return max(float(after), FIRST)
    if reset.isdigit() and response.headers.get("x-ratelimit-remaining") == "0":
        return max(float(reset) - time.time(), FIRST)
    return max(least, growing)
