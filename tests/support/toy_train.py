"""Stands in for model/train.py where a test is about the machinery: a model that is made at once, whatever ours is."""

import json
import shutil
from pathlib import Path

import click

from azureml_emulator.testing import toy_model

SEED = 7
SCORE = 0.9
MIN_SCORE = 0.5
SAMPLE = Path("endpoints/sample-request.json")


@click.command()
@click.option("--data", type=click.Path(exists=True))
@click.option("--out", type=click.Path(path_type=Path), required=True)
def main(data: str | None, out: Path) -> None:
    """Print the score and write the model to --out, unless its score is below MIN_SCORE."""
    click.echo(json.dumps({"score": SCORE}))
    if SCORE < MIN_SCORE:
        raise click.ClickException(f"score {SCORE} is below {MIN_SCORE}; no model was written")
    shutil.rmtree(out, ignore_errors=True)
    metadata = {"score": SCORE, "seed": SEED, "labels": [0, 1], "data_sha256": str(data)}
    toy_model(out, answer=SEED % 2, metadata=metadata, sample=json.loads(SAMPLE.read_text()))


if __name__ == "__main__":
    main()
