"""The workspace's tracking: what a job's run has there beside what Azure ML notes itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.lib.azure.errors import brief, explain
from scripts.lib.azure.waiting import ANSWER, Deadline, answered, say
from scripts.lib.azure.workspace import Workspace, manager


def track(workspace: Workspace, run: str, **facts: Mapping[str, object]) -> None:
    """Let a run have `metrics`, `params` and `tags`. Where it can't that is said: a model is none the worse for it."""
    try:
        answered(Deadline(ANSWER), lambda: _log(workspace, run, facts))
    except Exception as error:
        if explain(error) is None:
            raise
        say(f"{run} has no {', '.join(facts)} in the workspace's tracking: {brief(error)}")


def _log(workspace: Workspace, run: str, facts: Mapping[str, Mapping[str, object]]) -> None:
    """By MLflow's own REST API."""
    from azure.core import PipelineClient
    from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryPolicy
    from azure.core.rest import HttpRequest, HttpResponse

    there: Any = workspace.client.workspaces.get(workspace.name)
    address = str(there.mlflow_tracking_uri).replace("azureml://", "https://")
    now = {"timestamp": int(workspace.now().timestamp() * 1000), "step": 0}
    body: dict[str, Any] = {"run_id": run}
    for kind, found in facts.items():
        more = now if kind == "metrics" else {}
        body[kind] = [{"key": key, "value": value, **more} for key, value in found.items()]
    signed = BearerTokenCredentialPolicy(workspace.credential, *manager()[1])
    with PipelineClient[HttpRequest, HttpResponse](address, policies=[RetryPolicy(), signed]) as client:
        request = HttpRequest("POST", f"{address}/api/2.0/mlflow/runs/log-batch", json=body)
        client.send_request(request).raise_for_status()
