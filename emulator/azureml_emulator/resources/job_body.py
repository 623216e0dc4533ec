"""What the body of a job may hold: command jobs on a cluster. Whatever else Azure has is refused by its name."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator
from pydantic_core import PydanticCustomError

from azureml_emulator.arm.sent import Put, Sent, Texts, any_case, not_emulated, not_emulated_but
from azureml_emulator.resources.defaults import Positive

NAME = re.compile(r"[a-zA-Z0-9][\w-]{0,254}", re.ASCII)
PLACEHOLDER = re.compile(r"\$\{\{\s*(inputs|outputs)\.(\w+)\s*\}\}")
DATA = ("uri_file", "uri_folder", "mltable")
MODELS = ("mlflow_model", "custom_model", "triton_model")
Kind = Literal["uri_file", "uri_folder", "mltable", "mlflow_model", "custom_model", "triton_model"]
InputMode = Literal["ReadOnlyMount", "Download", "Direct"]
OutputMode = Literal["ReadWriteMount", "Upload", "Direct"]


class Input(Sent):
    job_input_type: Literal["literal"] | Kind
    value: str | None = None
    uri: str | None = None
    mode: Annotated[InputMode, any_case("ReadOnlyMount", "Download", "Direct", absent="EvalMount")] = "ReadOnlyMount"
    description: str | None = None
    path_on_compute: Annotated[None, not_emulated("pathOnCompute")] = None


class Output(Sent):
    job_output_type: Kind
    uri: str | None = None
    mode: Annotated[OutputMode, any_case("ReadWriteMount", "Upload", "Direct")] = "ReadWriteMount"
    description: str | None = None
    asset_name: Annotated[None, not_emulated("registering an output by a name")] = None
    path_on_compute: Annotated[None, not_emulated("pathOnCompute")] = None


class Limits(Sent):
    timeout: Positive | None = None
    job_limits_type: str = "Command"


class Resources(Sent):
    instance_count: Annotated[int, Field(ge=1)] = 1
    instance_type: str | None = None
    shm_size: str = "2g"
    docker_args: Annotated[None, not_emulated("dockerArgs")] = None

    @field_validator("instance_count")
    @classmethod
    def _one(cls, count: int) -> int:
        if count > 1:
            raise PydanticCustomError("not_emulated", "a job on several nodes isn't emulated")
        return count


class JobIdentity(Sent):
    identity_type: Annotated[Literal["Managed", "AMLToken"], any_case("Managed", "AMLToken", absent="UserIdentity")]


class Command(Sent):
    job_type: Annotated[Literal["Command"], not_emulated_but("a job", "Command")]
    command: str = Field(pattern=r"\S")
    code_id: str | None = None
    environment_id: str = Field(min_length=1)
    compute_id: str | None = None
    experiment_name: str = "Default"
    display_name: str | None = None
    description: str | None = None
    tags: Texts
    properties: Texts
    environment_variables: Texts
    inputs: dict[str, Input] = Field(default_factory=dict)
    outputs: dict[str, Output] = Field(default_factory=dict)
    is_archived: bool = False
    limits: Limits = Limits()
    resources: Resources = Resources()
    identity: JobIdentity | None = None
    distribution: Annotated[None, not_emulated("a distribution")] = None
    services: Annotated[None, not_emulated("a service of a job"), BeforeValidator(lambda given: given or None)] = None
    component_id: Annotated[None, not_emulated("a component")] = None
    parent_job_name: Annotated[None, not_emulated("a job of a job")] = None
    notification_setting: Annotated[None, not_emulated("a notification")] = None

    def unknown(self) -> Iterator[str]:
        """What the command asks for that the job doesn't have."""
        have: dict[str, dict[str, Any]] = {"inputs": {**self.inputs}, "outputs": {**self.outputs}}
        yield from (f"{kind}.{name}" for kind, name in PLACEHOLDER.findall(self.command) if name not in have[kind])


class Changes(Sent):
    """What run history is told of a job."""

    tags: Texts
    properties: Texts
    display_name: str | None = None
    description: str | None = None
    hidden: bool | None = None


class Job(Put[Command]):
    pass


def filled(command: str, values: dict[str, dict[str, Any]]) -> str:
    """The command with what its `${{inputs.…}}` and `${{outputs.…}}` stand for."""
    return PLACEHOLDER.sub(lambda found: str(values[found[1]][found[2]]), command)
