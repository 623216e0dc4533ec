"""Derive heart.csv from the copy of UCI's Cleveland heart disease data in the orange3 wheel (see HEART.md)."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import click
from dataset import FEATURES

TAB = "Orange/datasets/heart_disease.tab"
HEADER_LINES = 3  # names, types, roles
COLUMNS = [*FEATURES, "target"]

# Orange spells the codes out. These are the numbers of UCI's heart-disease.names; thal (3, 6, 7 there) stays in words,
# as in the article.
CODES = {
    "sex": {"female": "0", "male": "1"},
    "cp": {"typical ang": "1", "atypical ang": "2", "non-anginal": "3", "asymptomatic": "4"},
    "restecg": {"normal": "0", "ST-T abnormal": "1", "left vent hypertrophy": "2"},
    "slope": {"upsloping": "1", "flat": "2", "downsloping": "3"},
    "thal": {"normal": "normal", "fixed defect": "fixed", "reversable defect": "reversible", "?": ""},
    "ca": {"0": "0", "1": "1", "2": "2", "3": "3", "?": ""},
}


def read_tab(source: Path) -> str:
    """The text of the .tab file, out of the wheel if `source` is one."""
    if source.suffix != ".whl":
        return source.read_text("ascii")
    with zipfile.ZipFile(source) as wheel:
        return wheel.read(TAB).decode("ascii")


def to_records(text: str) -> list[dict[str, str]]:
    """Orange's rows in the article's columns and codes; a code that is not in CODES raises KeyError."""
    rows = list(csv.reader(io.StringIO(text), delimiter="\t"))[HEADER_LINES:]
    records = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    return [{name: CODES[name][v] if name in CODES else v for name, v in record.items()} for record in records]


@click.command()
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", default="model/heart.csv", show_default=True, type=click.Path(dir_okay=False, path_type=Path))
def main(source: Path, out: Path) -> None:
    """Write heart.csv from SOURCE: the orange3 wheel (pip download --no-deps orange3), or heart_disease.tab in it."""
    try:
        records = to_records(read_tab(source))
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise click.ClickException(f"{source} is not Orange's heart_disease.tab as expected: {error}") from error
    with out.open("w", newline="", encoding="ascii") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    click.echo(f"{out}: {len(records)} rows", err=True)


if __name__ == "__main__":
    main()
