"""Which GitHub: github.com, or one at an address of its own. A token of one is never sent to another."""

import os
import re
from urllib.parse import urlsplit

from scripts.lib.github import provenance

SERVER, API = "https://github.com", "https://api.github.com"
ISSUER = "https://token.actions.githubusercontent.com"
REMOTE = re.compile(
    r"(?:\w+://(?:[^@/]*@)?([\w.-]+)(?::\d+)?/|(?:[\w.-]+@)?([\w.-]+):)"  # an address, or git@HOST:
    r"([\w.-]+/[\w.-]+?)(?:\.git)?/?"
)


def origin() -> tuple[str, str]:
    """Host, and OWNER/NAME, of the git remote `origin`; empty where there is none."""
    found = REMOTE.fullmatch(provenance.git("remote", "get-url", "origin"))
    if not found:
        return "", ""
    host = (found[1] or found[2]).lower()
    return ("github.com" if host in ("ssh.github.com", "www.github.com") else host), found[3]


def server() -> str:
    """The address of its pages."""
    host = os.environ.get("GH_HOST") or origin()[0]
    return os.environ.get("GITHUB_SERVER_URL") or (f"https://{host}" if host else SERVER)


def issuer() -> str:
    """Who speaks in its OIDC tokens. An enterprise may have made that an address of its own: OIDC_ISSUER says which
    (docs.github.com/actions/reference/security/oidc#customizing-the-issuer-value-for-an-enterprise).
    """
    host = urlsplit(server()).netloc
    ours = f"https://token.actions.{host}" if host.endswith(".ghe.com") else ISSUER
    return os.environ.get("OIDC_ISSUER") or ours


def api() -> str:
    """The address of its REST API, "" where the host is none: a name that only ssh knows."""
    if given := os.environ.get("GITHUB_API_URL"):
        return given
    host = urlsplit(server()).netloc
    if host == "github.com":
        return API
    if host.endswith(".ghe.com"):
        return f"https://api.{host}"
    return f"{server()}/api/v3" if "." in host else ""
