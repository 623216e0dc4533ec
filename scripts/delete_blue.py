"""Delete the deployment that the serving one has replaced."""

from __future__ import annotations

import json

import click

from scripts import _github, _types
from scripts._command import command, endpoint_options, timeout_option
from scripts._endpoint import OnlineEndpoint
from scripts._review import Reviewed, check
from scripts._rollout import percentages
from scripts._traffic import plan_delete_blue
from scripts._wait import Deadline, again_on_conflict, say


@command()
@endpoint_options
@click.argument("name", type=_types.DEPLOYMENT)
@click.option("--expect", type=_types.REVIEWED, help="What `review` printed: refuse unless it still is so.")
@timeout_option(1800)
def main(endpoint: OnlineEndpoint, name: str, expect: Reviewed | None, timeout: float) -> str:
    """Delete NAME; prints the split as JSON. From then on there is no rollback.

    Refused unless NAME has no traffic and the deployment with 100 % replaces it, and where versions or split are not
    what --expect says. Gone already is no error.
    """
    deadline = Deadline(timeout)
    deleted = again_on_conflict(lambda: _delete(endpoint, name, expect, deadline), deadline)
    done = f"{name} is {'deleted' if deleted else 'gone already'}"
    say(done)
    traffic = endpoint.read().traffic
    _github.summary(f"{done}; traffic: **{percentages(traffic)}**")
    return json.dumps(dict(traffic))


def _delete(endpoint: OnlineEndpoint, name: str, expect: Reviewed | None, deadline: Deadline) -> bool:
    endpoint.settled(deadline, also=lambda state: name in state.deployments and state.deployments[name].busy)
    state = endpoint.read()
    wanted = plan_delete_blue(state, name)
    if wanted and expect:
        check(state, expect)
    if wanted:
        endpoint.remove(name, deadline)
    return wanted


if __name__ == "__main__":
    main()
