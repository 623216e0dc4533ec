"""Deliberate breakages of the workflow files: for each of them some check fails."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.workflows.files import OURS, WORKFLOWS, Files
from tests.workflows.rules import RULES

BIN = Path(sys.prefix) / "bin"
FILES = sorted(path.relative_to(ROOT) for path in Files(ROOT).texts)
Mutate = Callable[[str], Iterator[str]]


def dropped(pattern: str) -> Mutate:
    """Without each line that the pattern matches, one at a time."""
    return lambda text: (text[: m.start()] + text[m.end() :] for m in re.finditer(rf"^.*{pattern}.*\n", text, re.M))


def replaced(pattern: str, replacement: str) -> Mutate:
    """With each match replaced, one at a time."""
    return lambda text: (
        text[: m.start()] + m.expand(replacement) + text[m.end() :] for m in re.finditer(pattern, text, re.M)
    )


def steps_dropped(text: str) -> Iterator[str]:
    """Without each step, one at a time."""
    return (
        text[: m.start()] + text[m.end() :]
        for m in re.finditer(r"^( +)- (?:id|uses|run|name):.*\n(?:\1  .*\n)*", text, re.M)
    )


MUTATIONS: dict[str, Mutate] = {
    "a deployment that leads nowhere": replaced(r", url: .*? \}(?= *(#|$))", " }"),
    "another page": replaced(r"steps\.(setup|check)\.outputs\.page", "github.server_url"),
    "a run without a name": replaced(r"^run-name: (.*\n(?:  .*\n)*)", ""),
    "a check that never starts": replaced(r"^  (pull_request|merge_group):", r"  \1:\n    paths: [model/**]"),
    "a job that nobody decides on": replaced(r"^    if: contains\(fromJSON.*\n", ""),
    "a check that the last one overlooks": replaced(r"needs: \[changes, check, ", "needs: [changes, "),
    "half of the history": replaced(r", fetch-depth: 0", ""),
    "going back by packages alone": replaced(r"exec bash scripts/rollback\.sh( --own \"\$ROLLOUT\")?", "exec true"),
    "a `needs` dropped": dropped(r"^    needs:"),
    "one of several needs dropped": replaced(r"(needs: \[.*?)(?:, )?[\w-]+\]", r"\1]"),
    "a percentage swapped": replaced(r"percent: \d+", "percent: 75"),
    "a percentage offered that is none": replaced(r'"25"', '"250"'),
    "an `environment:` dropped": dropped(r"^    environment:"),
    "an environment without reviewers": replaced(r"^    environment: .*", "    environment: deploy"),
    "permissions dropped": dropped(r"permissions:"),
    "everything permitted": replaced(r"permissions: .*", "permissions: write-all"),
    "reading loosened to writing": replaced(r": read\b", ": write"),
    "a permission added": replaced(r"(permissions: \{) ", r"\1 packages: write, "),
    "an action unpinned": replaced(r"@[0-9a-f]{40} # (v\d+)\..*", r"@\1"),
    "an action at a branch": replaced(r"@[0-9a-f]{40} # .*", "@main"),
    "another commit of an action": replaced(r"(actions/checkout)@[0-9a-f]{40} # ", rf"\1@{'0' * 40} # "),
    "an input interpolated into a command": replaced(r'(run: .*)"\$[A-Z]\w*"', r"\1${{ inputs.data }}"),
    "an unquoted value": replaced(r'(run: .*)"(\$[A-Z]\w*)"', r"\1\2"),
    "two commands in a step": replaced(r"run: (.*)", r"run: true; \1"),
    "a script that no cancel reaches": replaced(r"exec (?=python|make|sleep)", ""),
    "a uv without a checksum": replaced(r"version: 0[.].*", "version-file: requirements.txt"),
    "a newer uv": replaced(r"version: 0[.]12", "version: 0.13"),
    "another machine": replaced(r"runs-on: .*", "runs-on: ubuntu-latest"),
    "half a model kept, or once, or for ever": dropped(r"^ +(include-hidden-files|overwrite|retention-days): "),
    "a token left in the tree": replaced(r"persist-credentials: false", "persist-credentials: true"),
    "a checkout by default": replaced(r"\n +with: \{ persist-credentials: false \}", ""),
    "no time limit": dropped(r"timeout-minutes:"),
    "a time limit too short": replaced(r"timeout-minutes: \d+", "timeout-minutes: 5"),
    "a condition dropped": dropped(r"^ +if: [^>]"),
    "always() dropped": replaced(r"always\(\) && ", ""),
    "cancelled() forgotten": replaced(r"!cancelled\(\) && ", ""),
    "a run that a newer one cancels": replaced(r"cancel-in-progress: false", "cancel-in-progress: true"),
    "no concurrency group": replaced(r"^concurrency:\n(  .*\n)+", ""),
    "one group for all": replaced(r"group: \w+-", "group: all-"),
    "the base's rights for a pull request": replaced(r"pull_request:", "pull_request_target:"),
    "any branch": replaced(r"\n +branches: \[main\]", ""),
    "a step dropped": steps_dropped,
    "an expectation dropped": replaced(r' --expect "\$PROPOSAL"', ""),
    "an option's value dropped": replaced(r' "\$[A-Z_]+"(?=\n| )', ' ""'),
    "all the data for one of two": replaced(r'\$\{DATA:\+--\w+ "\$DATA"\} ', ""),
    "a failing step overlooked": replaced(r"^( +)- run: (.*)", r"\1- run: \2\n\1  continue-on-error: true"),
    "a stored secret": replaced(r"(client-id: \"?\$\{\{) [\w.-]+", r"\1 secrets.CLIENT_ID"),
    "another stored secret": replaced(r"\{\{ secrets\.\w+", "{{ secrets.OTHER"),
    "all stored secrets": replaced(r"^( +)secrets: \{ \w+: .*", r"\1secrets: inherit"),
    "a rollback that nobody hears of": dropped(r"^ +(secrets: \{ )?ROLLBACK_WEBHOOK: "),
    "the token for a script that needs none": replaced(r"VERSION: .*", "VERSION: ${{ github.token }}"),
    "an input dropped": dropped(
        r"^ {10}(reviewers|environment|person|seen|proposal|percent|rollout|later|next|next-percent|target|[a-z]+-id"
        r"|always): "
    ),
    "one of several inputs dropped": replaced(
        r"(?:target: production|[\w-]+: \"\$\{\{ [\w.-]+ \}\}\")(?:, )?(?=.*\}$)", ""
    ),
    "an input that may be left out": dropped(r"required: true"),
    "an input that isn't handed on": dropped(r"^ +[A-Z_]+: \$\{\{ (inputs|github|steps|needs|fromJSON)"),
    "another input handed on": replaced(r"(^ +[A-Z_]+: \$\{\{ inputs)\.[\w-]+ ", r"\1.any "),
    "no reviewers": replaced(r"reviewers: (production|\$.*)", "reviewers: none"),
    "an approval that counts twice": replaced(r"(seen|SEEN): .*approvals \}\}", r"\1: 0"),
    "approvals of another job": replaced(r"outputs\.approvals", "outputs.proposal"),
    "a step that nobody knows": dropped(r"^      id: "),
    "approvals that nobody counts": replaced(r" --seen \"\$SEEN\"", ""),
    "a path more": replaced(r"^( +)- model/\*\*", r"\1- model/**\n\1- docs/**"),
    "a deletion of whatever is there": replaced(r' --dry-run| --confirm "\$TYPED"', ""),
    "no reviewers in production": replaced(r"'none' \|\| inputs\.target", "'none'"),
    "an approval for later stages that nobody switched on": replaced(r"vars\.APPROVALS == 'first' && (?=needs)", ""),
    "an approval for later stages that nobody was told of": replaced(r"vars\.APPROVALS == 'first' && (?=inputs)", ""),
    "live traffic that nobody heeds": replaced(r"needs\.promote-\d+\.outputs\.later", "needs.register.outputs.later"),
    "live traffic that an output forgets": replaced(r"steps\.promote\.outputs\.later", "inputs.later"),
    "staging takes production's login": replaced(r"&& inputs\.target == 'production' && '", "&& '"),
    "the first promotion asks nobody": replaced(
        r"name: \"\$\{\{ inputs\.target \}\}\"", 'name: "${{ needs.register.outputs.later || inputs.target }}"'
    ),
    "a promotion by hand asks nobody": replaced(r"^( +)(reviewers: production\n)", r"\1\2\1environment: unattended\n"),
    "a job that says it is elsewhere": replaced(r"^( +environment: )\$\{\{ vars.*", r"\1unattended"),
    "an approval for later stages, untold": replaced(r" \$\{LAST:\+.*", ""),
    "no reviewers by hand": replaced(r"check_approval production", "check_approval none"),
    "a stand-in for reviewers": replaced(r"^( +)(reviewers: .*env.*)", r"\1\2\n\1person: somebody"),
    "another stand-in for reviewers": replaced(r"(?i)(person: )\$\{\{ github.*", r"\1somebody"),
    "another next": replaced(r"next: .*", "next: delete-blue"),
    "no stop": replaced(r"inputs\.stop-after != '[\w-]+' && ", ""),
    "another share told": replaced(r"next-percent: \d+", "next-percent: 5"),
    "a variable of nobody": dropped(r"^  +[A-Z_]+: \$\{\{ .*vars\."),
    "staging on the production workspace": replaced(r"\|\| inputs\.target == 'production' && ", "|| "),
    "production as staging": replaced(r"target: production", "target: staging"),
    "all variables": replaced(r"toJSON\(vars\.AZURE_TENANT_ID\)", "toJSON(vars)"),
    "a cancelled run is told of": replaced(r"!cancelled\(\) && steps\.setup", "steps.setup"),
    "a bad verdict that nobody hears of": replaced(r"outputs\.verdict == 'unhealthy'", "outputs.verdict == 'bad'"),
    "a bad verdict that gets lost": dropped(r"^ +verdict: \$"),
    "nobody judges": replaced(r"--judge ", ""),
    "judged till the job is out of time": replaced(r"timeout-minutes: 350", "timeout-minutes: 300"),
    "deleted unasked": dropped(r"^    if: inputs\.delete-blue"),
    "another stage's output": replaced(r"needs\.promote-\d+\.outputs", "needs.smoke-test.outputs"),
    "a model that gets lost": dropped(r"^ +(model|version): \$"),
    "two that train": replaced(r"trains == 'runner'", "trains != ''"),
    "a cluster for each": replaced(r"trains == 'cluster'", "trains != ''"),
    "rights to deploy for what submits": replaced(r"'train' \|\| 'deploy'", "'deploy' || 'deploy'"),
    "a job that goes on": replaced(r" --cancel", ""),
    "data of another day": replaced(r"steps\.doctor\.outputs\.data", "inputs.data"),
    "a model of no job": replaced(r"needs\.train-on-cluster\.outputs\.job", "inputs.model"),
    "another digest": replaced(r"needs\.train\.outputs\.digest", "inputs.version"),
    "an id of one's own": replaced(r"needs\.register\.outputs\.rollout", "github.run_id"),
    "an attempt's id": replaced(r"steps\.register\.outputs\.rollout", "github.run_attempt"),
    "no id": replaced(r" --rollout \"\$ROLLOUT\"", ""),
    "an id by hand": replaced(r"^( +)(reviewers: production\n)", r"\1\2\1rollout: mine\n"),
    "a mark on what serves": replaced(r"\(needs\.deploy\.outputs\.green \|\| .*first\) && (.*) \|\| ''", r"\1"),
    "a cancelled job holds": replaced(r"job\.status == 'failure' && ", ""),
    "a job holds whatever it did": replaced(r" && steps\.[\w-]+\.outputs\.(wrote|bad) != 'true'", ""),
    "no job holds": replaced(r" && !contains\(needs\.\*\.outputs\.held, 'true'\)", ""),
    "what was not deployed is taken back": replaced(r"^ +&& \(needs\.deploy\.result == 'cancelled' .*\n", ""),
    "what others wrote is taken back": replaced(r" --own", ""),
    "a bad answer that is forgotten": replaced(r" --mark", ""),
    "a stage that lowers": replaced(r"--at-least ", ""),
    "traffic for whatever is tested": replaced(r"outputs\.first != ''", "outputs.deployment != ''"),
    "another way back": replaced(r"steps\.first\.outputs\.target", "github.ref_name"),
    "a contract that nobody checks": replaced(r"(green != ''\n +run: .* scripts\.)check_contract", r"\1invoke"),
    "a change of the contract that gets lost": dropped(r"^ +contract-change: \$"),
    "a review of whoever is green": replaced(r" (\$\{GREEN:\+)?--green \"\$GREEN\"\}?", ""),
}


def caught(tree: Path) -> bool:
    """Whether a rule, actionlint or zizmor finds something in the tree."""
    try:
        if any(finding for rule in RULES for finding in rule(Files(tree))):
            return True
    except (LookupError, TypeError, AttributeError, ValueError):
        return True  # a rule's test fails by error, too
    ours = [f".github/{name}" for name in OURS]
    commands = (
        ["actionlint", "-oneline", f"-shellcheck={BIN / 'shellcheck'}", *ours[: len(WORKFLOWS)]],
        [
            "zizmor",
            "-q",
            "--offline",
            "--persona=pedantic",
            "--strict-collection",
            "--config=.github/zizmor.yml",
            *ours,
        ],
    )
    return any(
        subprocess.run([BIN / command[0], *command[1:]], cwd=tree, capture_output=True, check=False).returncode
        for command in commands
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)  # actionlint looks for a repository
    return tmp_path


def test_untouched_files_pass(tree: Path) -> None:
    """The copy that is mutated has no finding to begin with."""
    assert not caught(tree)


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_is_caught(tree: Path, mutation: str) -> None:
    """Wherever the breakage can be made, in each workflow and action, some check finds it."""
    survivors, made = [], 0

    for path in FILES:
        text = (ROOT / path).read_text()
        for mutant in {*MUTATIONS[mutation](text)} - {text}:
            (tree / path).write_text(mutant)
            made += 1
            if not caught(tree):
                survivors.append(f"{path}: {difference(text, mutant)}")
        (tree / path).write_text(text)

    assert made
    assert not survivors, "\n".join(survivors)


def difference(text: str, mutant: str) -> str:
    """The first line that differs."""
    pairs = zip(text.splitlines(), mutant.splitlines(), strict=False)
    return next((f"{number}: {old.strip()}" for number, (old, new) in enumerate(pairs, 1) if old != new), "the end")
