"""The rules of the protocol, each with what breaks it: a decision's source, changed in one place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Mutation:
    """What is put in the place of a piece of scripts/lib/decisions/`module`.py."""

    rule: str
    module: str
    was: str
    put: str


MUTATIONS = [
    Mutation("a name that came back is another deployment", "state", 'ref.created in ("", found.created)', "ref"),
    Mutation(
        "the split goes with its record",
        "traffic",
        "return tags if back else {**tags, MARK + green: None}",
        "return {MARK + green: None}",
    ),
    Mutation("the first split goes with its record", "traffic", "tags=written(endpoint, kept)", "tags={}"),
    Mutation("a way back is recorded", "way_back", "tags = {**written(endpoint, found), **learnt}", "tags = learnt"),
    Mutation(
        "who is rolled back is marked",
        "way_back",
        "**written(endpoint, found), **learnt}",
        "**written(endpoint, found)}",
    ),
    Mutation("a promotion ends the mark", "traffic", "tags if back else {**tags, MARK + green: None}", "tags"),
    Mutation("blue replaces nobody", "record", "(found.blue, None)):", "):"),
    Mutation("green is the writer's", "record", "(found.green, found.blue), (found.blue, None)", "(found.blue, None),"),
    Mutation("the owner is compared", "approval", 'if proposal["owner"] != rollout:', "if False:"),
    Mutation(
        "an approval is for an owner",
        "approval",
        'if pair and pair["owner"] == rollout:\n        was = {**was, "owner": rollout}',
        'if pair:\n        was = {**was, "owner": pair["owner"]}',
    ),
    Mutation("a stage never lowers", "approval", "if at_least and has >= percent:", "if False:"),
    Mutation("a rollback takes back its own", "way_back", "if found.rollout != rollout:", "if False:"),
    Mutation("a stranger's split is left", "way_back", "if found.split != endpoint.traffic:", "if False:"),
    Mutation(
        "what is left alone is looked at for a while", "way_back", '{why}", done=True, hold=True)', '{why}", done=True)'
    ),
    Mutation(
        "already there is looked at for a while",
        "way_back",
        'percentages(endpoint.traffic)}", done=True, hold=True)',
        'percentages(endpoint.traffic)}", done=True)',
    ),
    Mutation("a rollback never walks on", "way_back", "        return found.blue\n", "        return found.green\n"),
    Mutation(
        "the record comes before the claims",
        "way_back",
        "    found = record(endpoint)\n    if found is None:\n        return _claimed",
        "    found = record(endpoint)\n    if True:\n        return _claimed",
    ),
    Mutation("the way back isn't superfluous", "way_back", "| ({old.name} if old else set())", ""),
    Mutation("capacity is compared", "traffic", "        _check_capacity(endpoint, to, percent)\n", "        pass\n"),
    Mutation("green is made as large as blue", "deploying", "after=after, instances=blue.instances)", "after=after)"),
    Mutation(
        "who is left over goes once green is there",
        "deploying",
        "remove = (name,) if name in endpoint.deployments else ()",
        "remove = _left_over(endpoint, wanted, blue, name)",
    ),
    Mutation(
        "the way back isn't left over",
        "deploying",
        'spared = {green, old.name if old else "", ',
        "spared = {green, ",
    ),
    Mutation(
        "what stands is used", "deploying", "if standing := _standing(endpoint, wanted, blue):", "if standing := None:"
    ),
    Mutation(
        "settings roll out",
        "deploying",
        "self.model.same(deployment.model) and fits(",
        "self.model.same(deployment.model) or fits(",
    ),
    Mutation(
        "another repository's green stays",
        "deploying",
        "found.get(d.name) == blue.name and not _foreign(endpoint, d, wanted.rollout)",
        "found.get(d.name) == blue.name",
    ),
    Mutation(
        "a takeover changes the owner",
        "approval",
        '"owner": owner(state, new)',
        '"owner": state.deployments[new].rollout',
    ),
    Mutation(
        "a claim holds whatever the split",
        "record",
        "if rollout and created == deployment.created:",
        "if rollout and created == deployment.created and live(state):",
    ),
    Mutation(
        "a hand-made first one stays",
        "deploying",
        "if present and present.healthy and (not present.ours",
        "if False and (not present.ours",
    ),
    Mutation(
        "the first takes nothing from others", "traffic", "if endpoint.traffic or endpoint.mirror or not", "if not"
    ),
    Mutation("traffic on a third is refused", "traffic", "if expect is None and not on_pair:", "if False:"),
    Mutation(
        "Ambiguous names a way out",
        "roles",
        "rollback --to NAME gives it all traffic, promote --to NAME --percent N a share.",
        "good luck.",
    ),
    Mutation(
        "what is gone is told with a command",
        "way_back",
        "Roll that version out again: rollout.yml with it as `version`, or {again}.",
        "Sorry.",
    ),
]


def source(mutation: Mutation) -> str:
    """The module, broken. Fails where the piece isn't there once: then the mutation has to move along."""
    text = (ROOT / f"scripts/lib/decisions/{mutation.module}.py").read_text(encoding="utf-8")
    assert text.count(mutation.was) == 1, (
        f"{mutation.was!r} is {text.count(mutation.was)} times in {mutation.module}.py"
    )
    return text.replace(mutation.was, mutation.put)
