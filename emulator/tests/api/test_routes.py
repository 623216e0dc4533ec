"""How a path becomes a route's names."""

import pytest

from azureml_emulator.api.routes import D, W, names, pattern
from azureml_emulator.testing import Arm

PLACE = "/subscriptions/S/resourceGroups/G/providers/Microsoft.MachineLearningServices/workspaces/W"


@pytest.mark.parametrize("path", ["onlineEndpoints/Heart/deployments/Blue", "ONLINEENDPOINTS/heart/deployments/BLUE/"])
def test_endpoints_and_deployments_are_lower_case(path: str) -> None:
    """Case is ignored in paths; the service lower-cases these two names, and no other."""
    found = names(pattern(D), f"{PLACE}/{path}")

    assert found == {"subscription": "S", "group": "G", "workspace": "W", "endpoint": "heart", "deployment": "blue"}


def test_names_are_decoded() -> None:
    """A name may have any character that is written as a percent code, but the slash."""
    models = pattern(f"{W}/models/{{name}}")

    assert (names(models, f"{PLACE}/models/a%20B") or {})["name"] == "a B"
    assert names(models, f"{PLACE}/models/a%2Fb") is None


def test_upper_case_is_the_same_endpoint(azure: dict[str, str]) -> None:
    """However an endpoint's name is spelt, it is one endpoint."""
    arm = Arm(azure)
    arm.endpoint("Spelt")

    assert arm("GET", "onlineEndpoints/SPELT").json()["name"] == "spelt"
    assert arm("DELETE", "onlineEndpoints/sPelt").status_code == 202
