"""What libraries write into a pickle anew each time does not make another model of it."""

from __future__ import annotations

import functools
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import cloudpickle
import pytest

from scripts.lib.decisions.model_folder import clean, digest
from scripts.lib.decisions.pickles import without_stamps
from tests.support.scripts import toy_model

TRAINING = """
import enum, sys
import cloudpickle
from sklearn.feature_extraction.text import TfidfVectorizer

HASHES = ["d41d8cd98f00b204e9800998ecf8427e", None]

class Words(enum.Enum):
    FEW = 1

class Base:
    pass

class Model(Base):
    words = Words.FEW
    def __init__(self):
        self.hashes = [*HASHES, *"abc"], tuple([*HASHES, "d41d8cd98f00b204e9800998ecf8427e", None])
        self.first = TfidfVectorizer().fit(["a film"])
        self.second = TfidfVectorizer(stop_words="english").fit(["the sea"])
    def predict(self, texts):
        return [self.first.transform(texts).shape, self.second.transform(texts).shape, self.hashes, self.words.name]

sys.stdout.buffer.write(cloudpickle.dumps(Model(), protocol=int(sys.argv[1])))
"""


@functools.cache
def trained(protocol: int, time: str) -> bytes:
    """A model whose classes are its script's own, trained in a process of its own, for the first or the second time."""
    command = [sys.executable, "-c", TRAINING, str(protocol)]
    return subprocess.run(command, check=True, capture_output=True, env={"PYTHONHASHSEED": "0"}).stdout


@pytest.mark.parametrize("protocol", [2, 5])
def test_the_same_model_twice_is_the_same(protocol: int) -> None:
    """An address in memory and the ids of classes differ, and nothing else; it answers as before."""
    first, second = trained(protocol, "first"), trained(protocol, "second")

    normal = without_stamps(first)

    assert first != second
    assert normal == without_stamps(second) == without_stamps(normal)
    assert pickle.loads(normal).predict(["a film"]) == pickle.loads(first).predict(["a film"])  # noqa: S301


def test_classes_stay_apart() -> None:
    """cloudpickle takes one id for one class, so two models that are loaded side by side have no id in common."""

    def model(answer: int) -> type:
        return type("Model", (), {"predict": lambda self: answer, "__module__": "__main__"})

    one, other = (pickle.loads(without_stamps(cloudpickle.dumps(model(answer)))) for answer in (1, 2))  # noqa: S301

    assert (one().predict(), other().predict()) == (1, 2)


@pytest.mark.parametrize("content", [b"", b"\x80", b"\x80\x05_stop_words_id", b"_make_skeleton_class"])
def test_what_is_no_pickle_stays(content: bytes) -> None:
    """Whatever its name says."""
    assert without_stamps(content) == content


def test_a_pickle_is_uploaded_as_it_is_digested(tmp_path: Path) -> None:
    """Both without stamps, so the digest is one."""
    one, other = (toy_model(tmp_path / name) for name in ("one", "other"))
    for folder, time in ((one, "first"), (other, "second")):
        (folder / "model.pkl").write_bytes(trained(5, time))

    cleaned = clean(one, tmp_path / "clean")

    assert digest(one) == digest(other) == digest(Path(shutil.copytree(cleaned, tmp_path / "stored")))
    assert (cleaned / "model.pkl").read_bytes() == without_stamps((other / "model.pkl").read_bytes())
