"""Azure's and the network's errors: what they mean, whether another try may help, and what to tell people."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

from scripts.lib.azure import causes
from scripts.lib.azure.causes import Cause
from scripts.lib.azure.waiting import TimedOut, Unanswered
from scripts.lib.decisions import ends
from scripts.lib.decisions.state import Refused

UNREADABLE = (AttributeError, LookupError, TypeError, ValueError)  # what an answer of another form than Azure's raises
OF_ENDPOINTS = re.compile("show_endpoint|AzureML Data Scientist|instance_type|endpoints/")


class Passing(Exception):
    """What was read can't be so, or was not answered: a later look tells more."""

    exit_code = ends.LATE


class NotBegun(Exception):
    """Azure refused to begin what this says; why, is its cause."""


class Ended(Exception):
    """An operation that Azure had accepted, and that it says has ended as `status`: Failed or Canceled."""

    exit_code = ends.FAILED

    def __init__(self, what: str, status: str, error: Exception | None = None):
        found = cause(error) if error else Cause()
        why = reason(error) if error else "Azure says no more"
        ends = f"{what}: Azure canceled it" if status == "Canceled" else f"{what}: failed"
        super().__init__(": ".join(text for text in (ends, found.means, why) if text))
        self.status, self.cause = status, found


def explain(error: Exception) -> str | None:
    """One message for whoever ran the command; None for an error that is not theirs but a bug in the scripts."""
    if isinstance(error, Refused):
        return str(error)
    if isinstance(error, TimedOut):
        return f"{error}. Azure may still end it: look with show_endpoint, then run this again."
    if isinstance(error, Passing):
        return f"{error}\nRun this again later; show_endpoint tells how it is."
    if isinstance(error, Ended):
        return f"{error}" + (f"\n{error.cause.then}" if error.cause.then else "")
    if isinstance(error, FileNotFoundError):
        return f"{error.filename} doesn't exist. Run the scripts from the repository's root."
    found = azures(error)
    return (f"{error}: " if isinstance(error, NotBegun) else "") + told(found) if found else None


def bare(error: Exception) -> str | None:
    """The same without advice that is about endpoints, for whoever does something else."""
    message = str(error) if isinstance(error, TimedOut) else explain(error)
    first, *rest = (message or "").splitlines() or [""]
    return message and "\n".join([first, *(line for line in rest if not OF_ENDPOINTS.search(line))])


def brief(error: Exception) -> str:
    """An error on one line, for whoever waits."""
    return " ".join((explain(error) or str(error)).partition("\n")[0].split())


def passes(error: Exception) -> str | None:
    """Why it may help to do it again after this error, for people; None where it doesn't."""
    found = azures(error)
    again = isinstance(error, Passing | Unanswered) or (found is not None and cause(found).again > 0)
    return brief(error) if again else None


def signed_out(error: Exception) -> bool:
    """Whether Azure doesn't accept the login, so that it can't be asked anything else, either."""
    found = azures(error)
    return found is not None and cause(found).then == causes.SIGN_IN


def told(error: Exception) -> str:
    """What an error of Azure's means, its own words, and who mends it how."""
    found, why = cause(error), reason(error)
    return f"{found.means or 'Azure refused'}: {why}" + (f"\n{found.then}" if found.then else "")


def azures(error: Exception) -> Exception | None:
    """The error of Azure's in this one: the SDK wraps some, a few as a bare Exception. None where it is none."""
    if "azure.core" not in sys.modules:
        return None
    from azure.core.exceptions import AzureError, HttpResponseError

    found, inner = None, error
    while type(inner) is Exception or isinstance(inner, NotBegun | AzureError):
        found = inner if isinstance(inner, AzureError) else found
        behind = inner.__cause__ or inner.__context__
        if isinstance(inner, HttpResponseError) or not isinstance(behind, Exception):
            break
        inner = behind
    return found


def cause(error: Exception) -> Cause:
    """What is known of an error of Azure's: by its code, the deepest first, else by its words, else by its status."""
    from azure.core.exceptions import ClientAuthenticationError, DecodeError, ServiceRequestError, ServiceResponseError

    if isinstance(error, ServiceRequestError | ServiceResponseError):
        return causes.UNREACHED
    table = causes.STORAGE if getattr(error, "error_code", None) else causes.CODES  # only storage's errors have that
    said = [*_said(error)][::-1]
    anchors = [anchor for _, words in said for anchor in re.findall(r"oe-tsg#error-(\w+)", words)]
    for code in (*(code for code, _ in said), *anchors):
        if code.lower() in table:
            return table[code.lower()]
    text = " ".join([words for _, words in said] + [str(error)])
    if found := next((found for pattern, found in causes.WORDS if pattern.search(text)), None):
        return found
    status = getattr(error, "status_code", None) or 0
    if isinstance(error, ClientAuthenticationError) and not status:
        return causes.NO_TOKEN
    return causes.BROKEN if status >= 500 or isinstance(error, DecodeError) else causes.BY_STATUS.get(status, Cause())


def reason(error: Exception) -> str:
    """Azure's own code and words, the deepest of them, on one line."""
    said = [(code, words) for code, words in _said(error) if code or words]
    if not said:
        return redact(getattr(error, "message", None) or error)
    code = next((code for code, words in reversed(said) if code), "")
    words = next((words for _, words in reversed(said) if words), "")
    return redact(f"{code}: {words}" if code and words else words or code)


def retry_after(error: Exception) -> float:
    """The seconds that Azure asks to wait, 0 where it asks nothing."""
    response = getattr(error, "response", None)
    asked = response.headers.get("Retry-After", "") if response is not None else ""
    return float(asked) if re.fullmatch(r"\d+(\.\d+)?", asked) else 0.0


def redact(text: object) -> str:
    """One line without terminal colours, and without the secret part of a shared access signature."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(text))
    return " ".join(re.sub(r"(?i)\bsig=[^&\s'\"]+", "sig=…", plain).split())


def _said(error: Exception) -> Iterator[tuple[str, str]]:
    """(code, words) from the outermost to the deepest: of the answer's body, else of what the SDK made of it."""
    body = _body(error)
    if body:
        yield from _walk(body.get("error_description") or body.get("error") or body)  # Entra's, or the manager's
    elif code := getattr(error, "error_code", None):  # storage answers in XML, which the SDK has read
        yield str(getattr(code, "value", code)), str(getattr(error, "reason", "") or error).partition("\n")[0]
    else:
        detail = getattr(error, "error", None)
        yield str(getattr(detail, "code", "") or ""), str(getattr(detail, "message", "") or "")


def _body(error: Exception) -> dict[str, Any]:
    response = getattr(error, "response", None)
    try:
        body = json.loads(response.text()) if response is not None else {}
    except Exception:  # read already, closed, or no JSON: a proxy's page
        return {}
    return body if isinstance(body, dict) else {}


def _walk(error: Any) -> Iterator[tuple[str, str]]:
    """An ARM error and what it holds; the services behind it put theirs as JSON into a message."""
    if isinstance(error, str):
        yield "", error
    if not isinstance(error, dict):
        return
    message = str(error.get("message") or "")
    yield str(error.get("code") or ""), message.partition("{")[0] if "error detail" in message else message
    told = [one.get("info") for one in error.get("additionalInfo") or [] if one.get("type") == "InnerError"]
    codes = [info.get("value") for info in told if isinstance(info, dict)]  # without words: details say more
    for inner in (*codes, *(error.get("details") or []), error.get("innererror") or error.get("innerError")):
        yield from _walk(inner)
    if (start := message.find("{")) >= 0:
        try:
            behind = json.loads(message[start:])
        except ValueError:
            return
        for words in (behind.get("errors") or {}).values() if isinstance(behind.get("errors"), dict) else ():
            yield "", " ".join(map(str, words)) if isinstance(words, list) else str(words)
