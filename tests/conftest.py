"""What the tests share: one local Azure ML, and its variables in the environment."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.process import running, without_azure


@pytest.fixture(scope="session", autouse=True)
def no_azure() -> Iterator[None]:
    """No test can reach a real Azure, GitHub's files or a proxy through the environment it was started in."""
    before = dict(os.environ)
    for name in set(before) - set(without_azure(before)) | {name for name in before if name.startswith("GITHUB_")}:
        del os.environ[name]
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables of a local Azure ML, which stand in the environment while the session runs."""
    state: Path = tmp_path_factory.mktemp("azure")
    with running(state, "--core-quota=1000") as variables:
        os.environ.update(variables)
        yield variables
        for name in variables:
            os.environ.pop(name, None)
