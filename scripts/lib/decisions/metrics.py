"""What a model's tags say of how good it is, and tables that set two models side by side: without Azure and MLflow."""

import math
import re
from collections.abc import Mapping, Sequence

NO_METRICS = frozenset(
    {"version", "model", "digest", "data_sha256", "commit", "run", "job", "data", "replaces", "rollout", "settings"}
)
"""Tags that say where a model comes from; the digits of a hash may look like a number."""
LOWER = re.compile(
    "brier|cer|crossentropy|crps|deviance|ece|entropy|errors?|false|fnr|fpr|hinge|l1|l2|logloss|loss|mae|mape|mase|medae"
    "|merror|mlogloss|mse|msle|nll|nloglik|perplexity|pinball|rmse|rmsle|rmspe|smape|wape|wer"
)
HIGHER = re.compile(
    "acc|accuracy|ap|aucpr|auc|auprc|auroc|bleu|dice|explained|f1|f2|fbeta|gini|iou|jaccard|kappa|ks|lift|likelihood|map"
    "|mcc|mrr|ndcg|precision|r2|recall|roc|rouge|score|sensitivity|specificity|tnr|tpr|true"
)
"""Words of a metric's name by which it is known what is better; LOWER goes first, and `neg_` turns it round."""


def metrics(tags: Mapping[str, str]) -> dict[str, float]:
    """The tags that are numbers, whatever the training code calls them."""
    numbers = {name: _number(text) for name, text in tags.items() if name not in NO_METRICS}
    return {name: number for name, number in numbers.items() if number is not None}


def comparison(old: Mapping[str, str], new: Mapping[str, str]) -> list[tuple[str, str, str, str]]:
    """A row for each metric in either's tags: its name, old, new, and the change; a dash where there is none."""
    before, after = metrics(old), metrics(new)
    return [
        (name, _shown(before.get(name)), _shown(after.get(name)), change(before, after, name, better_sign(name, new)))
        for name in {**before, **after}
    ]


def change(old: Mapping[str, float], new: Mapping[str, float], name: str, sign: int = 0) -> str:
    """By how much a metric moved, with its sign, and whether that is better, where `sign` tells which way is."""
    if name not in old or name not in new:
        return "–"
    moved = round(new[name] - old[name], 10)  # 0.9 - 0.8 is 0.09999999999999998
    said = {0: "", 1: ", better", -1: ", worse"}[sign * (1 if moved > 0 else -1)]
    return f"{moved:+g}{said}" if moved else "0"


def better_sign(name: str, tags: Mapping[str, str]) -> int:
    """1 where more of a metric is better, -1 where less is, 0 where nobody knows: as tags say, or its name."""
    for said, sign in (("lower_is_better", -1), ("higher_is_better", 1)):
        if name in re.split(r"[\s,;\[\]\"']+", tags.get(said, "")):
            return sign
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+\d*|[A-Z]+\d*", name)}
    turned = -1 if words & {"neg", "negative"} and not words & {"true", "false"} else 1
    return turned * (-1 if any(map(LOWER.fullmatch, words)) else 1 if any(map(HIGHER.fullmatch, words)) else 0)


def data(old: Mapping[str, str], new: Mapping[str, str], same_code: bool = False) -> list[tuple[str, str, str, str]]:
    """A row for what both were trained on, by version and hash; with a note where that alone makes the difference."""
    facts = [(_plain(tags.get("data", "")), _plain(tags.get("data_sha256", ""))[:12]) for tags in (old, new)]
    note = "other data, **same code**" if same_code else "other data"
    differ = any(all(pair) and pair[0] != pair[1] for pair in zip(*facts, strict=True))
    first, second = (" ".join(f"`{text}`" for text in filter(None, fact)) or "–" for fact in facts)
    return [("data", first, second, note if differ else "")] if any(map(any, facts)) else []


def _plain(text: str) -> str:
    """A tag is data: of an asset, a path or a hash, and no Markdown."""
    return re.sub(r"[^\w:./@-]", "", text, flags=re.ASCII)


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
