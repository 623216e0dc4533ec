"""The SDK's own REST models as a second witness of what Azure answers: what they miss or cannot read.

They read leniently: a value of the wrong type stays as it came. Azure answers more keys than they know, and spells some
values in another case; which keys and spellings are ours is contract.yml's part.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from enum import Enum
from typing import Any

#: The model of each schema in contract.yml that has one.
MODELS = {
    "Workspace": "Workspace",
    "Datastore": "Datastore",
    "DatastoreSecrets": "SasDatastoreSecrets",
    "Container": "ModelContainer",
    "ModelVersion": "ModelVersion",
    "DataContainer": "DataContainer",
    "EnvironmentVersion": "EnvironmentVersion",
    "CodeVersion": "CodeVersion",
    "PendingUpload": "PendingUploadResponseDto",
    "Job": "JobBase",
    "Compute": "ComputeResource",
    "OnlineEndpoint": "OnlineEndpoint",
    "EndpointKeys": "EndpointAuthKeys",
    "EndpointToken": "EndpointAuthToken",
    "OnlineDeployment": "OnlineDeployment",
    "DeploymentLogs": "DeploymentLogs",
    "Usage": "Usage",
    "MachineSize": "VirtualMachineSize",
    "Error": "ErrorResponse",
}


def objections(schema: str, body: dict[str, Any]) -> Iterator[str]:
    """What the SDK's model of this schema says against an answer."""
    from azure.ai.ml._restclient.arm_ml_service import models
    from azure.ai.ml._restclient.arm_ml_service._utils.model_base import _deserialize

    yield from _against(_deserialize(getattr(models, MODELS[schema]), body), schema)


def _against(model: Any, place: str) -> Iterator[str]:
    hints = _hints(type(model))
    for name, field in model._attr_to_rest_field.items():
        value, hint, where = getattr(model, name), hints[name], f"{place}.{field._rest_name}"
        if value is None and type(None) not in typing.get_args(hint) and "read" in field._visibility:
            yield f"{where} is missing"
        elif value is not None:
            yield from _mismatch(value, hint, where)


def _mismatch(value: Any, hint: Any, place: str) -> Iterator[str]:
    if typing.Any in (hint, *typing.get_args(hint)):
        return
    if hasattr(value, "_attr_to_rest_field"):
        yield from _against(value, place)
    elif typing.get_origin(hint) in (dict, list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        yield from (
            problem for key, item in items for problem in _mismatch(item, typing.get_args(hint)[-1], f"{place}[{key}]")
        )
    elif not isinstance(value, (expected := _expected(hint))) and not _in_another_case(value, expected):
        yield f"{place} is {value!r}"


def _in_another_case(value: Any, types: tuple[type, ...]) -> bool:
    known = [choice.value for kind in types if issubclass(kind, Enum) for choice in kind]
    return str(value).lower() in {str(one).lower() for one in known}


def _expected(hint: Any) -> tuple[type, ...]:
    """The types that a value may have; of a text or an enumeration only the enumeration."""
    choices = [typing.get_origin(one) or one for one in typing.get_args(hint) or [hint]]
    if typing.get_origin(hint) is typing.Literal:
        return (str,)
    enumerations = tuple(one for one in choices if issubclass(one, Enum))
    return enumerations or tuple(choices)


def _hints(model: type) -> dict[str, Any]:
    from azure.ai.ml._restclient.arm_ml_service import models
    from azure.ai.ml._restclient.arm_ml_service.models import _models

    return typing.get_type_hints(model, {**vars(_models), "_models": models})
