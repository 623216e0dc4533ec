"""What the local GitHub does when it is asked: one function for each operation of its description."""

import threading
from collections.abc import Callable
from typing import Any

from azureml_emulator.arm.documents import Document
from azureml_emulator.github.asked import Asked, Refusal, page
from azureml_emulator.github.state import STAMP, Environment, State, WorkflowRun, account, number, spelled, team

NO_REVIEWERS = (
    "Failed to create the environment protection rule. "
    "Please ensure the billing plan supports the required reviewers protection rule."
)
NO_BRANCHES = "Fail to create protected rule, please ensure billing plan include protected branch gate."
UPGRADE = "Upgrade to GitHub Pro or make this repository public to enable this feature."
ALONE = (
    "Failed to create or update the environment protection rule. "
    "Required reviewers must have at least one reviewer to set prevent_self_review."
)
Answer = tuple[int, Any]


def get_repository(state: State, asked: Asked) -> Answer:
    return 200, state.repository_document()


def get_branch(state: State, asked: Asked) -> Answer:
    name = asked.names["branch"]
    if name not in state.branches:
        raise Refusal(404, "Branch not found")
    protected = name in state.protected or bool(_rules(state, name))
    return 200, {"name": name, "commit": {"sha": state.branches[name]}, "protected": protected}


def get_branch_rules(state: State, asked: Asked) -> Answer:
    return 200, page(_rules(state, asked.names["branch"]), asked, 100)


def list_rulesets(state: State, asked: Asked) -> Answer:
    return 200, page([_ruleset(found) for found in state.rulesets.values()], asked, 100)


def create_ruleset(state: State, asked: Asked) -> Answer:
    if not state.has_branch_policies:
        raise Refusal(403, UPGRADE)
    if asked.body["name"] in state.rulesets:
        raise Refusal(422, "Validation Failed: Name must be unique")
    state.rulesets[asked.body["name"]] = asked.body
    return 201, _ruleset(asked.body)


def get_commit(state: State, asked: Asked) -> Answer:
    sha = asked.names["ref"]
    if sha not in state.commits:
        raise Refusal(422, f"No commit found for SHA: {sha}")
    document = state.commits[sha]
    return 200, {**document, "files": document["files"][:300]}


def list_pulls_of_commit(state: State, asked: Asked) -> Answer:
    sha = asked.names["commit_sha"]
    if sha not in state.commits:
        raise Refusal(422, f"No commit found for SHA: {sha}")
    found = [state.pulls[id] for id in state.brought.get(sha, ())]
    return 200, page([{k: v for k, v in pull.items() if k != "merged_by"} for pull in found], asked, 100)


def get_pull(state: State, asked: Asked) -> Answer:
    pull = state.pulls.get(_id(asked.names["pull_number"]))
    if pull is None:
        raise Refusal(404)
    return 200, pull


def list_issues(state: State, asked: Asked) -> Answer:
    wanted, labels = asked.query.get("state", "open"), {*filter(None, asked.query.get("labels", "").split(","))}
    found = [one for one in state.issues.values() if labels <= {label["name"] for label in one["labels"]}]
    return 200, page([one for one in found if wanted in ("all", one["state"])], asked, 100)


def create_issue(state: State, asked: Asked) -> Answer:
    """Issues and pull requests are counted together."""
    id = max([*state.issues, *state.pulls], default=0) + 1
    labels = [{"name": name} for name in asked.body.get("labels", ())]
    people = [account(login) for login in asked.body.get("assignees", ())]
    if unknown := [who["login"] for who in people if who["login"] not in state.users]:
        raise Refusal(422, f"Validation Failed: {', '.join(unknown)}")
    said = {"title": asked.body["title"], "body": asked.body.get("body"), "labels": labels, "assignees": people}
    state.issues[id] = {"number": id, "html_url": f"{state.page}/issues/{id}", "state": "open", **said}
    return 201, state.issues[id]


def update_issue(state: State, asked: Asked) -> Answer:
    issue = state.issues.get(int(asked.names["issue_number"]))
    if issue is None:
        raise Refusal(404)
    issue |= {name: asked.body[name] for name in ("title", "body", "state") if name in asked.body}
    return 200, issue


def list_comments(state: State, asked: Asked) -> Answer:
    return 200, page(state.comments.get(_commented(state, asked), []), asked, 100)


def create_comment(state: State, asked: Asked) -> Answer:
    """An issue's, or a pull request's: that is an issue, too."""
    id, there = _commented(state, asked), sum(map(len, state.comments.values()))
    made = {"id": there + 1, "html_url": f"{state.page}/issues/{id}#issuecomment-{there + 1}", **asked.body}
    state.comments.setdefault(id, []).append(made)
    return 201, made


def compare_commits(state: State, asked: Asked) -> Answer:
    """The commits lie in one line, in the order in which they became known."""
    base, head = (state.branches.get(name, name) for name in asked.names["basehead"].split("...", 1))
    order = list(state.commits)
    if base not in order or head not in order:
        raise Refusal(404)
    old, new = order.index(base), order.index(head)
    ahead, behind = max(new - old, 0), max(old - new, 0)
    status = "ahead" if ahead else "behind" if behind else "identical"
    between = [{k: v for k, v in state.commits[sha].items() if k != "files"} for sha in order[old + 1 : new + 1]]
    commits = page(between, asked, 100)
    counts = {"ahead_by": ahead, "behind_by": behind, "total_commits": ahead}
    files = sorted({name for sha in order[old + 1 : new + 1] for name in state.changed.get(sha, ())})
    first = {"files": [{"filename": name} for name in files[:300]]} if asked.query.get("page", "1") == "1" else {}
    return 200, {"status": status, **counts, "commits": commits, **first}


def get_environment(state: State, asked: Asked) -> Answer:
    name, _ = _environment(state, asked)
    return 200, state.environment_document(name)


def put_environment(state: State, asked: Asked) -> Answer:
    """What the body leaves out is taken away. The list of branches stays, as long as there is one.

    What the plan doesn't have is refused, but a new environment is there afterwards: without rules.
    """
    body, name = asked.body or {}, asked.names["environment_name"]
    name = spelled(name, state.environments) or name
    wanted = [_reviewer(state, entry) for entry in body.get("reviewers") or ()]
    rule = body.get("deployment_branch_policy")
    if body.get("prevent_self_review") and not wanted:
        raise Refusal(422, ALONE)
    if rule and rule["protected_branches"] == rule["custom_branch_policies"]:
        raise Refusal(422, "Invalid request.\n\nprotected_branches and custom_branch_policies can not be the same.")
    if (wanted and not state.has_reviewers) or (rule and not state.has_branch_policies):
        state.environments.setdefault(name, Environment())
        raise Refusal(422, NO_REVIEWERS if wanted and not state.has_reviewers else NO_BRANCHES)
    before = state.environments.get(name, Environment())
    custom = bool(rule and rule["custom_branch_policies"])
    state.environments[name] = Environment(
        reviewers=wanted,
        prevent_self_review=bool(body.get("prevent_self_review")),
        admins_bypass=before.admins_bypass,
        branches=(before.branches or []) if custom else None,
        protected_branches_only=bool(rule) and not custom,
        wait_timer=body.get("wait_timer", 0),
        tags=before.tags if custom else [],
        variables=before.variables,
        apps=before.apps,
    )
    return 200, state.environment_document(name)


def list_branch_policies(state: State, asked: Asked) -> Answer:
    _, there = _environment(state, asked)
    found = [_policy(name) for name in there.branches or ()] + [_policy(name, "tag") for name in there.tags]
    return 200, {"total_count": len(found), "branch_policies": page(found, asked, 100)}


def add_branch_policy(state: State, asked: Asked) -> Answer:
    if not state.has_branch_policies:
        raise Refusal(403, UPGRADE)
    (_, there), name, kind = _environment(state, asked), asked.body["name"], asked.body.get("type", "branch")
    if there.branches is None:
        raise Refusal(404)
    known = there.tags if kind == "tag" else there.branches
    if name in known:
        return 303, None
    known.append(name)
    return 200, _policy(name, kind)


def list_app_rules(state: State, asked: Asked) -> Answer:
    _, there = _environment(state, asked)
    found = [{"id": number(app), "enabled": True, "app": {"id": number(app), "slug": app}} for app in there.apps]
    return 200, {"total_count": len(found), "custom_deployment_protection_rules": found}


def list_environment_variables(state: State, asked: Asked) -> Answer:
    return _variables(_environment(state, asked)[1].variables, asked)


def get_subject(state: State, asked: Asked) -> Answer:
    return 200, state.subject_document()


def list_runs(state: State, asked: Asked) -> Answer:
    workflow, status, branch = asked.names["workflow_id"], asked.query.get("status"), asked.query.get("branch")
    if workflow not in state.workflows:
        raise Refusal(404)
    runs = [run for run in state.runs.values() if run.workflow == workflow and status in {None, run.status}]
    found = [state.run_document(run) for run in runs if branch in {None, state.default_branch}]
    return 200, {"total_count": len(found), "workflow_runs": page(found, asked, 100)}


def dispatch(state: State, asked: Asked) -> Answer:
    """Whoever uses this runs what was started: it is kept, and no more."""
    if (workflow := asked.names["workflow_id"]) not in state.workflows:
        raise Refusal(404)
    if (ref := asked.body["ref"].removeprefix("refs/heads/")) not in state.branches:
        raise Refusal(422, f"No ref found for: {ref}")
    state.dispatched.append((workflow, asked.body.get("inputs") or {}))
    return 204, None


def get_run(state: State, asked: Asked) -> Answer:
    return 200, state.run_document(_run(state, asked))


def get_approvals(state: State, asked: Asked) -> Answer:
    return 200, _run(state, asked).approvals


def cancel_run(state: State, asked: Asked) -> Answer:
    run = _run(state, asked)
    if run.status == "completed":
        raise Refusal(409, "Cannot cancel a workflow run that is completed.")
    if run.on_cancel is None:
        run.status, run.conclusion = "completed", "cancelled"
    else:
        threading.Thread(target=run.on_cancel, daemon=True).start()
    return 202, {}


def list_variables(state: State, asked: Asked) -> Answer:
    return _variables(state.variables, asked)


def list_shared_variables(state: State, asked: Asked) -> Answer:
    return _variables(state.shared_variables, asked)


def _variables(variables: dict[str, str], asked: Asked) -> Answer:
    found = [
        {"name": name, "value": value, "created_at": STAMP, "updated_at": STAMP}
        for name, value in sorted(variables.items())
    ]
    return 200, {"total_count": len(found), "variables": page(found, asked, 30)}


def create_variable(state: State, asked: Asked) -> Answer:
    name = asked.body["name"].upper()
    if name in state.variables:
        raise Refusal(409, "Already exists - Variable already exists")
    state.variables[name] = asked.body["value"]
    return 201, {}


def update_variable(state: State, asked: Asked) -> Answer:
    name = asked.names["name"].upper()
    if name not in state.variables:
        raise Refusal(404)
    state.variables[name] = asked.body.get("value", state.variables[name])
    return 204, None


def get_user(state: State, asked: Asked) -> Answer:
    login = spelled(asked.names["username"], state.users)
    if login is None:
        raise Refusal(404)
    kind = {"type": "Bot"} if login in state.apps else {}
    return 200, {**account(login), "id": state.users[login], **kind}


def get_team(state: State, asked: Asked) -> Answer:
    name = spelled(f"{asked.names['org']}/{asked.names['team_slug']}", state.teams)
    if name is None:
        raise Refusal(404)
    return 200, team(name, state.teams[name])


ROUTES: dict[str, Callable[[State, Asked], Answer]] = {
    "repos/get": get_repository,
    "repos/get-branch": get_branch,
    "repos/get-branch-rules": get_branch_rules,
    "repos/get-repo-rulesets": list_rulesets,
    "repos/create-repo-ruleset": create_ruleset,
    "repos/get-commit": get_commit,
    "repos/list-pull-requests-associated-with-commit": list_pulls_of_commit,
    "pulls/get": get_pull,
    "issues/list-for-repo": list_issues,
    "issues/create": create_issue,
    "issues/update": update_issue,
    "issues/list-comments": list_comments,
    "issues/create-comment": create_comment,
    "repos/compare-commits-with-basehead": compare_commits,
    "repos/get-environment": get_environment,
    "repos/create-or-update-environment": put_environment,
    "repos/list-deployment-branch-policies": list_branch_policies,
    "repos/create-deployment-branch-policy": add_branch_policy,
    "repos/get-all-deployment-protection-rules": list_app_rules,
    "actions/list-environment-variables": list_environment_variables,
    "actions/get-custom-oidc-sub-claim-for-repo": get_subject,
    "actions/create-workflow-dispatch": dispatch,
    "actions/list-workflow-runs": list_runs,
    "actions/get-workflow-run": get_run,
    "actions/get-reviews-for-run": get_approvals,
    "actions/cancel-workflow-run": cancel_run,
    "actions/list-repo-variables": list_variables,
    "actions/list-repo-organization-variables": list_shared_variables,
    "actions/create-repo-variable": create_variable,
    "actions/update-repo-variable": update_variable,
    "users/get-by-username": get_user,
    "teams/get-by-name": get_team,
}


def _environment(state: State, asked: Asked) -> tuple[str, Environment]:
    """With its name, as whoever made it spelled it."""
    name = spelled(asked.names["environment_name"], state.environments)
    if name is None:
        raise Refusal(404)
    return name, state.environments[name]


def _commented(state: State, asked: Asked) -> int:
    if (id := _id(asked.names["issue_number"])) not in {*state.issues, *state.pulls}:
        raise Refusal(404)
    return id


def _run(state: State, asked: Asked) -> WorkflowRun:
    found = state.runs.get(_id(asked.names["run_id"]))
    if found is None:
        raise Refusal(404)
    return found


def _id(text: str) -> int:
    """What is no number is nothing that is there."""
    return int(text) if text.isascii() and text.isdigit() else 0


def _reviewer(state: State, entry: Document) -> str:
    known = state.teams if entry["type"] == "Team" else state.users
    for name, id in known.items():
        if id == entry["id"]:
            return name
    raise Refusal(422, "Validation Failed")


def _policy(name: str, kind: str = "branch") -> Document:
    return {"id": number(f"{kind} {name}"), "name": name, "type": kind}


def _ruleset(body: Document) -> Document:
    return {"id": number(body["name"]), **{key: body[key] for key in ("name", "enforcement")}, "target": "branch"}


def _rules(state: State, branch: str) -> list[Document]:
    """What active rulesets demand of a branch."""
    names = {f"refs/heads/{branch}", "~ALL"} | ({"~DEFAULT_BRANCH"} if branch == state.default_branch else set())
    active = [found for found in state.rulesets.values() if found["enforcement"] == "active"]
    return [
        rule for found in active if names & {*found["conditions"]["ref_name"]["include"]} for rule in found["rules"]
    ]
