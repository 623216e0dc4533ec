"""What live traffic must show at each stage, as the repository's file says it."""

from __future__ import annotations

from pathlib import Path

from scripts.lib.azure.workspace import read_yaml
from scripts.lib.decisions.canary.policy import RolloutPolicy, policy

POLICY = Path("endpoints/rollout-policy.yml")


def of_the_file(path: Path = POLICY) -> RolloutPolicy:
    """What it says; without a file, what copies begin with. Raises Refused with line and key where it is wrong."""
    return policy(read_yaml(path), str(path)) if path.exists() else RolloutPolicy()
