"""Bodies of PUTs: what their limits still let pass, and what is made of nothing, null and the unknown."""

from typing import Any

import pytest

from azureml_emulator.arm.errors import BadRequest
from azureml_emulator.arm.sent import Tagged, validated
from azureml_emulator.resources import defaults
from azureml_emulator.testing import deployment


def put(**changes: Any) -> defaults.Deployment:
    return validated(defaults.Deployment.model_validate, deployment("models/any/versions/1", **changes))


@pytest.mark.parametrize(
    ("part", "given"),
    [
        ("requestSettings", {"maxConcurrentRequestsPerInstance": 10_000, "requestTimeout": "PT3M"}),
        ("requestSettings", {"requestTimeout": "PT0.001S", "maxQueueWait": "PT0S"}),
        ("livenessProbe", {"initialDelay": "PT0S", "period": "PT0.5S", "timeout": "P1D"}),
        ("readinessProbe", {"failureThreshold": 1, "successThreshold": 2**31 - 1}),
    ],
)
def test_up_to_the_limits(part: str, given: dict[str, Any]) -> None:
    """What lies on a limit is kept as it was sent, a duration as the SDK writes it."""
    kept = defaults.properties(put(instances=50, **{part: given}).properties)

    assert kept[part] | given == kept[part]


def test_nothing_null_and_the_unknown() -> None:
    """Null is as good as nothing, and what Azure doesn't know is dropped."""
    odd = put(description=None, requestSettings=None, livenessProbe={"period": None, "colour": 1}, extra=1)

    assert odd.model_dump() == put().model_dump()
    assert validated(Tagged.model_validate, {"location": None, "tags": {"a": None, "b": ""}}).tags == {"b": ""}


def test_every_problem_is_told() -> None:
    """A refusal names each field that is wrong, by its path."""
    with pytest.raises(BadRequest) as refusal:
        put(instances=0, model=1, readinessProbe={"initialDelay": "P1Y"})

    assert [problem.partition(":")[0] for problem in str(refusal.value).split("; ")] == [
        "properties.model",
        "properties.readinessProbe.initialDelay",
        "sku.capacity",
    ]


@pytest.mark.parametrize(
    "tags",
    [
        {f"tag-{number}": "" for number in range(51)},
        {"a/b": ""},
        {"50%": ""},
        {"n" * 513: ""},
        {"": "x"},
        {"long": "v" * 257},
        {"AUC": "1", "auc": "2"},
    ],
    ids=lambda tags: f"{len(tags)} {next(iter(tags))[:10]}",
)
def test_tags_are_within_the_resource_manager_s_limits(tags: dict[str, str]) -> None:
    """50 on a resource, 512 characters of a name without <>%&\\?/, 256 of a value; names ignore case."""
    with pytest.raises(BadRequest, match="tags"):
        validated(Tagged.model_validate, {"tags": tags})


def test_tags_up_to_the_limits() -> None:
    """The last that Azure takes."""
    tags = {f"{number:02}{'n' * 510}": "v" * 256 for number in range(50)}

    assert validated(Tagged.model_validate, {"tags": tags}).tags == tags
