"""`make demo`: the real workflow file rolls three models out, the last one a bad one, while clients keep asking."""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import click

from azureml_emulator.github.server import LocalGitHub
from azureml_emulator.lock import holder
from azureml_emulator.process import running, start, without_azure
from azureml_emulator.workflows.act import copy_tree
from demo.clients import Clients
from demo.picture import picture
from demo.rollouts import Demo
from scripts.lib.decisions.words import counted

KEPT = Path(".emulator")


def leave_running(state: Path) -> None:
    """Starts the emulator again on the demo's state, by itself: same endpoint, same models, same key."""
    try:
        process = start(state.resolve(), with_parent=False)
    except RuntimeError as error:
        raise click.ClickException(str(error)) from error
    python = os.path.relpath(sys.executable)
    click.echo(
        f"\nThe emulator is up, with what the demo left in {state}. In a shell:\n"
        f"  source {state}/environment.sh           # leads the SDK, and so the scripts, to it\n"
        f"  {python} -m scripts.show_endpoint\n"
        f"  {python} -m scripts.invoke\n"
        f"  leave_emulator                        # leads this shell back to where it was\n"
        f"  kill {process.pid} && rm -r {state}     # stops it, and forgets"
    )


@click.command()
@click.option("--keep", is_flag=True, help=f"Leave the emulator up, with its state in {KEPT}.")
@click.option("--picture", "file", type=click.Path(path_type=Path), help="Draw the page that a reviewer sees, as SVG.")
def main(keep: bool, file: Path | None) -> None:
    """Roll two models out on this machine, take a third one back, and count what clients get meanwhile."""
    if keep and KEPT.exists():
        pid = holder(KEPT)
        stop = f"kill {pid} (the emulator that uses it) && " if pid else ""
        raise click.UsageError(f"{KEPT} is there already. First: {stop}rm -r {KEPT}")
    if not Path("model/train.py").exists():
        raise click.UsageError(
            "The demo merges a change of model/train.py, and there is none: the model is trained elsewhere."
        )
    with tempfile.TemporaryDirectory(prefix="demo-") as temporary:
        state = KEPT if keep else Path(temporary) / "state"
        copy_tree(Path.cwd(), tree := Path(temporary) / "tree")
        (tree / "model/job.yml").unlink(missing_ok=True)  # the runner trains: this Azure ML has no cluster
        with running(state.resolve(), "--minute=0.25") as variables, LocalGitHub() as github:
            github.set_up("colleague")
            use(variables)
            demo = Demo(tree, variables, github)
            demo.play()
    report(demo.clients)
    if file:
        file.write_text(picture(demo.reviewed, demo.asking[0]), encoding="utf-8")
    if keep:
        leave_running(KEPT)


def use(variables: Mapping[str, str]) -> None:
    """Leads the SDK in this process to the emulator, whatever Azure the user works with."""
    clean = without_azure(os.environ) | dict(variables)
    os.environ.clear()
    os.environ.update(clean)


def report(clients: Clients) -> None:
    """Raises ClickException when a request failed that had to be answered, or none was made."""
    click.echo()
    for deployment, count in Counter(clients.answers).items():
        click.echo(f"{count} requests were answered by {deployment}")
    if clients.problems:
        raise click.ClickException(
            f"{counted(len(clients.problems), 'request')} failed: {'; '.join(clients.problems[:5])}"
        )
    if not clients.answers:
        raise click.ClickException("nobody asked the endpoint anything")
    click.echo("none failed but the bad model's" if clients.excused else "none failed")


if __name__ == "__main__":
    main()
