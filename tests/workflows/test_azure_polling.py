"""A rollout whose client asks for its operations as seldom as it asks Azure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.repository import repository, results
from tests.support.scripts import toy_model
from tests.workflows.drilling import GREEN, rollout, served


@pytest.mark.drill
@pytest.mark.timeout(1200)  # each operation is looked after 5 to 30 s later
def test_a_rollout_at_azures_pace(tmp_path: Path) -> None:
    """It ends as quick ones do: nothing in the scripts or in the time-outs of the workflow leans on quick answers."""
    with repository(tmp_path, "--azure-polling", "--core-quota=1000") as ready:
        for answer in (0, 1):
            ready.script("register_model", toy_model(tmp_path / str(answer), answer=answer))
        serving = served(ready)

        run = rollout(serving)

        assert run.exit_code == 0, {name: job.log for name, job in run.jobs.items() if job.result == "failure"}
        assert "promote-100" in results(run, "success")
        assert serving.traffic == {GREEN: 100}
