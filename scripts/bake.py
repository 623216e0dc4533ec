"""Let the new model serve for a while before its blue is deleted."""

from __future__ import annotations

import time

import click

from scripts.lib.azure.waiting import Deadline, say
from scripts.lib.cli import option_types
from scripts.lib.cli.command import command

MINUTE = 60.0


@command()
@click.argument("minutes", type=option_types.MINUTES)
def main(minutes: int) -> None:
    """Wait MINUTES, 0 to 300: hosted jobs end after six hours. Meanwhile `rollback` still goes back."""
    deadline = Deadline(minutes * MINUTE)
    while not deadline.passed:
        say(f"{deadline.left / 60:.0f} min until blue may be deleted")
        time.sleep(min(MINUTE, deadline.left))


if __name__ == "__main__":
    main()
