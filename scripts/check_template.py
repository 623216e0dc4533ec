"""Say on one GitHub issue, kept up to date, what the template has that this copy lacks."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import click

from scripts.lib.cli.command import command
from scripts.lib.decisions.state import Refused
from scripts.lib.github.api import GitHub

LABEL = "template-update"
TEXT = """`{current}` is what this copy was made of or last updated to; `{latest}` is out.

```
git switch -c template-{latest}
uvx copier update --defaults
git diff
```

It changes what the template changed, keeps what you changed, and leaves the marks of a conflict where both did.
What else a copy must do stands in CHANGELOG.md; docs/MAKE_IT_YOURS.md, *Staying current*, has more.
"""


@command()
@click.option("--copier", default="copier", help="The command to ask with.")
def main(copier: str) -> str:
    """Open an issue when the template has a newer tag than this copy knows of, change it in place, close it when done.

    Prints the issue's address, or that there is nothing new. The token needs to read contents and to write issues.
    """
    found = _asked(copier)
    github = GitHub.here()
    open_ones = github.issues(LABEL)
    if not found["update_available"]:
        for issue in open_ones:
            github.change_issue(issue["number"], {"state": "closed"})
        return f"{found['current_version']} is the newest"
    latest = found["latest_version"]
    body = {
        "title": f"The template's {latest} is out",
        "body": TEXT.format(current=found["current_version"], latest=latest),
    }
    if open_ones:
        return str(github.change_issue(open_ones[0]["number"], body)["html_url"])
    return str(github.open_issue({**body, "labels": [LABEL]})["html_url"])


def _asked(copier: str) -> dict[str, Any]:
    """`update_available`, `current_version` and `latest_version`. Raises Refused where copier can't tell."""
    asking = [copier, "check-update", "--output-format", "json"]
    try:
        done = subprocess.run(asking, capture_output=True, text=True, check=False)
        return dict(json.loads(done.stdout))
    except FileNotFoundError as error:
        raise Refused(f"there is no {copier}: install it, or name it by --copier") from error
    except ValueError as error:
        raise Refused(f"copier can't tell whether the template has something new: {done.stderr.strip()}") from error


if __name__ == "__main__":
    main()
