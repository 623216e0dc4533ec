"""All that can go wrong, by the name under which it is asked for."""

import random

from pydantic import Field

from azureml_emulator.arm.documents import Document
from azureml_emulator.arm.errors import BadRequest
from azureml_emulator.arm.sent import validated
from azureml_emulator.faults.fault import Fault, alike
from azureml_emulator.faults.on_calls import Delay, Drop, Hide, Hold, Lag, Refuse, Turn
from azureml_emulator.faults.on_jobs import Crash, Preempt, Stall, Starve
from azureml_emulator.faults.on_operations import Break, Fail, Hang, Overwrite, Stale, Vanish


class Misbehave(Fault):
    """Let the containers of a deployment answer badly, slowly, or die of a scoring request; mirrored ones aside."""

    times: int = Field(0, ge=0, description="How many requests; 0 is all until it is cleared.")
    endpoint: str = Field("*", description="The endpoint's name; * stands for any text.")
    deployment: str = Field("*", description="The deployment's name; * stands for any text.")
    rate: float = Field(1, ge=0, le=1, description="The share of the requests that are hit, drawn at random.")
    seconds: float = Field(0, ge=0, description="Seconds that the container takes longer.")
    status: int | None = Field(None, ge=100, le=599, description="What the container answers instead.")
    crash: bool = Field(False, description="Kill the process that is to answer.")

    def matches(self, *subject: str) -> bool:
        drawn = random.random() < self.rate  # noqa: S311  # no secret
        return drawn and alike(subject, (self.endpoint, self.deployment))


OF_JOBS = (Starve, Stall, Crash, Preempt)
ALL = (Refuse, Delay, Drop, Hold, Hide, Lag, Turn, Fail, Hang, Break, Overwrite, Stale, Vanish, Misbehave, *OF_JOBS)
KINDS: dict[str, type[Fault]] = {kind.__name__.lower(): kind for kind in ALL}


def parse(document: Document) -> Fault:
    """The fault that `{"kind": …, …}` describes. Raises BadRequest."""
    given = dict(document)
    kind = KINDS.get(str(given.pop("kind", "")))
    if kind is None:
        raise BadRequest(f"kind must be one of {', '.join(KINDS)}.")
    return validated(kind.model_validate, given)
