"""What training says of a model, as the tags that it is registered with."""

import json
from pathlib import Path

from scripts.lib.decisions.model_folder import mlmodel


def tags(folder: Path) -> dict[str, str]:
    """The metrics and facts that training wrote into MLmodel: text as it is, all else as JSON."""
    metadata = mlmodel(folder).get("metadata") or {}
    return {str(key): value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}
