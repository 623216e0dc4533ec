"""What a model's tags say of how good it is, and tables that set two models side by side: without Azure and MLflow."""

import math
from collections.abc import Mapping, Sequence

NO_METRICS = frozenset(
    {"version", "model", "digest", "data_sha256", "commit", "run", "replaces", "rollout", "settings"}
)
"""Tags that say where a model comes from; the digits of a hash may look like a number."""


def metrics(tags: Mapping[str, str]) -> dict[str, float]:
    """The tags that are numbers, whatever the training code calls them."""
    numbers = {name: _number(text) for name, text in tags.items() if name not in NO_METRICS}
    return {name: number for name, number in numbers.items() if number is not None}


def comparison(old: Mapping[str, float], new: Mapping[str, float]) -> list[tuple[str, str, str, str]]:
    """A row for each metric of either: its name, old, new, and the change; a dash where there is none."""
    return [(name, _shown(old.get(name)), _shown(new.get(name)), change(old, new, name)) for name in {**old, **new}]


def change(old: Mapping[str, float], new: Mapping[str, float], name: str) -> str:
    """By how much a metric moved, with its sign."""
    if name not in old or name not in new:
        return "–"
    moved = round(new[name] - old[name], 10)  # 0.9 - 0.8 is 0.09999999999999998
    return f"{moved:+g}" if moved else "0"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; no text in it can end its cell."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in line) + " |" for line in lines
    )


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _shown(number: float | None) -> str:
    return "–" if number is None else f"{number:g}"
