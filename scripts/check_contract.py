"""See whether clients of blue can live with green: what both models say of themselves, and what they answer."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import click

from scripts.lib.azure.asker import PATIENCE, Asker, CouldNotAsk, brief
from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.model_files import registered_contract
from scripts.lib.azure.scoring_client import SAMPLE, load_request
from scripts.lib.azure.waiting import Deadline, say
from scripts.lib.cli import names
from scripts.lib.cli.command import command, timeout_option
from scripts.lib.cli.place import endpoint_options
from scripts.lib.decisions import model_example
from scripts.lib.decisions.answers import changed, parsed
from scripts.lib.decisions.contract import Contract, Difference, declared, differences, shown, unexcused
from scripts.lib.decisions.model_tags import listed
from scripts.lib.decisions.requests import Body
from scripts.lib.decisions.roles import pairs, roles
from scripts.lib.decisions.state import Deployment, EndpointState, Refused, percentages
from scripts.lib.github import commits, step_output
from scripts.lib.github.api import CannotTell


@command()
@endpoint_options
@click.argument("green", type=names.deployment, required=False)
@click.option("--allow", multiple=True, metavar="COLUMN", help="What may break; several times, or with commas.")
@click.option("--patience", type=click.FloatRange(min=0), default=PATIENCE, metavar="SECONDS", help="For what passes.")
@timeout_option(300)
def main(endpoint: OnlineEndpoint, green: str | None, allow: tuple[str, ...], patience: float, timeout: float) -> str:
    """Set GREEN's signature, labels and answers beside those of its blue; prints the differences as JSON.

    Without GREEN it is whoever is green; where nobody is, there is nothing to compare.

    Blue's saved input example is sent to both, past the split. The exit code is 1 where a client of blue's would be
    refused, or answered in another kind, and neither --allow nor a `Contract-Change: COLUMN` in the message of a commit
    since blue's says that this is meant. The traffic is not touched.
    """
    endpoint.look.expect(green)
    state = endpoint.read()
    green = green or roles(state)[1]
    if green is None:
        return _without_blue("nobody", "is to replace what serves")
    deployment, blue = state.named(green), pairs(state).get(green)
    if blue is None:
        return _without_blue(green)
    pair, deadline = (state.deployments[blue], deployment), Deadline(timeout)
    old, new = (_contract(endpoint, deployment, deadline) for deployment in pair)
    said = differences(old, new)
    asked = list(dict.fromkeys(compared(old, *(Asker(endpoint, state, name, patience) for name in (blue, green)))))
    allowed = declared(f"Contract-Change: {text}" for text in allow)
    left = not_meant(said, asked, allowed)
    if left:
        left = not_meant(said, asked, allowed | _merged(*pair))
    _show(blue, green, [*said, *asked], left)
    if left:
        raise Refused(_why(state, green, left))
    return json.dumps({"blue": blue, "green": green, "differences": [dataclasses.asdict(it) for it in [*said, *asked]]})


def compared(contract: Contract, blue: Asker, green: Asker) -> Iterator[Difference]:
    """What blue takes, and green refuses or answers in another kind. Raises CouldNotAsk for green alone."""
    for body in requests(contract):
        before = _asked(blue, body, final=200 if contract.example else 424)  # its own example it has to take
        if before is None:
            continue
        if (after := green(body)).status != 200:
            yield Difference("input", f"green refuses what blue takes: {brief(after)}", breaks=True)
        elif what := changed(parsed(before), parsed(after.body)):
            yield Difference("output", what, breaks=True, answered=True)


def _asked(blue: Asker, body: Body, final: int) -> str | None:
    """What blue answers, None where it doesn't: one that is dead or overrun must not stop what is to replace it."""
    try:
        answer = blue(body, final)
        why = brief(answer)
    except CouldNotAsk as error:
        answer, why = None, str(error)
    if answer and answer.status == 200:
        return answer.body
    text = f"blue doesn't answer a request, so green's answer isn't compared: {why}"
    say(f"warning: {text}")
    step_output.summary(f"Contract: {text}")
    return None


def requests(contract: Contract) -> list[Body]:
    """What clients of a model may send: its example, else the sample request and what its signature lets guess."""
    if contract.example:
        return [model_example.first_rows(contract.example)]
    return [load_request(SAMPLE), *model_example.made_up(contract.takes)]


def not_meant(said: list[Difference], asked: list[Difference], allowed: set[str]) -> list[Difference]:
    """The breaks that nobody allowed. What is allowed explains what the answers then show of it."""
    left = unexcused(said, allowed)
    meant = {it.answered for it in said if it.breaks and it not in left}
    return left + [it for it in unexcused(asked, allowed) if it.answered not in meant]


def _contract(endpoint: OnlineEndpoint, deployment: Deployment, deadline: Deadline) -> Contract:
    """That of its registered model; its tag has the last word on the labels, as for the smoke test."""
    found = registered_contract(endpoint.workspace, deployment.model, deadline)
    if found is None:
        model = f"{deployment.model.name} {deployment.model.version}".strip() or "not known"
        text = f"{deployment.name}'s model ({model}) isn't registered as an MLflow model; its signature isn't compared."
        say(f"warning: {text}")
        step_output.summary(f"Contract: {text}")
        found = Contract()
    tags = {**found.tags, **deployment.tags}
    return dataclasses.replace(found, labels=listed(tags.get("labels")) or found.labels)


def _merged(blue: Deployment, green: Deployment) -> set[str]:
    """The columns whose change a commit declares that green has and blue hasn't."""
    try:
        return declared(commits.messages(blue.tags.get("commit", ""), green.tags.get("commit", "")))
    except CannotTell as error:
        say(f"whether a merged commit says that it is meant can't be told: {error}")
        return set()


def _without_blue(green: str, does: str = "replaces nobody") -> str:
    say(f"{green} {does}: there is nothing to compare")
    step_output.summary(f"Contract: {green} {does}.")
    return json.dumps({"blue": None, "green": green, "differences": []})


def _show(blue: str, green: str, found: list[Difference], left: list[Difference]) -> None:
    """To the summary as a table, and to stderr."""
    step_output.summary(f"Contract: what **{green}** changes for clients of **{blue}**{'.' if found else ': nothing.'}")
    if found:
        step_output.summary(shown(found, left))
    for it in found:
        say(f"{it.column}: {it.what}{' (a break, which is meant)' if it.breaks and it not in left else ''}")


def _why(state: EndpointState, green: str, left: list[Difference]) -> str:
    columns = ", ".join(dict.fromkeys(it.column for it in left))
    lines = "".join(f"\n  {it.column}: {it.what}" for it in left)
    return (
        f"{green} breaks what clients of the one it replaces rely on:{lines}\n"
        f"Nothing is promoted: {percentages(state.traffic)}. If it is meant, and they know, write a line\n"
        f"  Contract-Change: {columns}\n"
        "into the message of a commit that is merged, or start rollout.yml with that as `contract-change`."
    )


if __name__ == "__main__":
    main()
