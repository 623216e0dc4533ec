"""A stand-in for `az`, signed in at the emulator: of all its commands `rest` and `account get-access-token`.

As the real one: an address without a host is the resource manager's, an answer that is no success is an ERROR on stderr
and exit code 1. The login is the managed identity that the environment leads to, in a workflow the one that azure/login
wrote into the folder AZURE_CONFIG_DIR; without one nobody is signed in.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

RESOURCE = "https://management.local/"
SIGN_IN = "Please run 'az login' to setup account."


def main() -> None:
    """Run one command."""
    given = _parser().parse_args()
    try:
        print(given.run(given))
    except HTTPError as error:
        sys.exit(f"ERROR: {error.reason}({error.read().decode()})")
    except (URLError, TimeoutError) as error:
        sys.exit(f"ERROR: {error}")


def install(folder: Path) -> None:
    """Put it into a folder of PATH, as `az`, for this Python."""
    folder.mkdir()
    (folder / "az").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {__name__} "$@"\n')
    (folder / "az").chmod(0o755)


def _rest(given: argparse.Namespace) -> str:
    address = urlsplit(os.environ.get("ARM_CLOUD_METADATA_URL", ""))
    url = given.url if "://" in given.url else f"{address.scheme}://{address.netloc}{given.url}"
    body = Path(given.body[1:]).read_bytes() if given.body.startswith("@") else given.body.encode()
    headers = {"Authorization": f"Bearer {_token(RESOURCE)['access_token']}"}
    with contextlib.suppress(ValueError):  # a body that is no JSON is sent all the same, as something else
        headers |= {"Content-Type": "application/json"} if json.loads(body) else {}
    return _ask(Request(url, data=body or None, headers=headers, method=given.method.upper()))  # noqa: S310 (ours)


def _access_token(given: argparse.Namespace) -> str:
    found = _token(given.resource or given.scope.removesuffix(".default"))
    expires = int(found["expires_on"])
    local = datetime.fromtimestamp(expires).isoformat(sep=" ", timespec="microseconds")
    return json.dumps(
        {"accessToken": found["access_token"], "expiresOn": local, "expires_on": expires, "tokenType": "Bearer"}
    )


def _token(resource: str) -> dict[str, Any]:
    folder, client = os.environ.get("AZURE_CONFIG_DIR"), ""
    if not (address := os.environ.get("IDENTITY_ENDPOINT")) or (folder and not Path(folder, "client").exists()):
        sys.exit(f"ERROR: {SIGN_IN}")
    if folder:
        client = f"&client_id={Path(folder, 'client').read_text().strip()}"
    url = f"{address}?api-version=2019-08-01&resource={quote(resource, safe='')}{client}"
    request = Request(url, headers={"X-IDENTITY-HEADER": os.environ.get("IDENTITY_HEADER", "")})  # noqa: S310 (ours)
    return dict(json.loads(_ask(request)))


def _ask(request: Request) -> str:
    with urlopen(request, timeout=60) as answer:  # noqa: S310 (ours)
        return str(answer.read().decode())


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--only-show-errors", action="store_true")
    shared.add_argument("--output", "-o", choices=["json"])
    parser = argparse.ArgumentParser("az")
    groups = parser.add_subparsers(required=True)
    rest = groups.add_parser("rest", parents=[shared])
    rest.add_argument("--method", "-m", default="get")
    rest.add_argument("--url", "--uri", "-u", required=True)
    rest.add_argument("--body", "-b", default="")
    rest.set_defaults(run=_rest)
    account = groups.add_parser("account").add_subparsers(required=True)
    token = account.add_parser("get-access-token", parents=[shared])
    token.add_argument("--resource", default="")
    token.add_argument("--scope", default=RESOURCE)
    for ignored in ("--tenant", "-t", "--subscription", "-s"):
        token.add_argument(ignored)
    token.set_defaults(run=_access_token)
    return parser


if __name__ == "__main__":
    main()
