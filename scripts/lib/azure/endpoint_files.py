"""What the files of endpoints/ say of what is to be created: its entities, and the name of the model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.lib.azure.workspace import ENDPOINT, load_yaml
from scripts.lib.decisions.state import Refused

BLUE = Path("endpoints/blue-deployment.yml")
GREEN = Path("endpoints/green-deployment.yml")


def load_entity(load: Callable[..., Any], path: Path, **fields: str) -> Any:
    """The SDK's entity for a file of endpoints/, with some fields set. Raises Refused where the schema doesn't fit."""
    from marshmallow import ValidationError

    try:
        return load(path, params_override=[{name: value} for name, value in fields.items()])
    except ValidationError as error:
        found = str(error).partition("Visit this link")[0]  # what follows is advertising
        raise Refused(f"{path}: {' '.join(found.split())}") from error


def model_name() -> str:
    """The registered model's name, whose one home is the tag `model` in endpoints/endpoint.yml."""
    name = (load_yaml(ENDPOINT).get("tags") or {}).get("model")
    if not name:
        raise Refused(f"{ENDPOINT} has no tag `model`: the name under which the model is registered.")
    return str(name)
