"""Tokens: whom they let in, for how long, and that a restart keeps them."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from azureml_emulator.arm.errors import Unauthorized
from azureml_emulator.arm.store import Store
from azureml_emulator.resources.tokens import ARM, ML, Tokens


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path)) as made:
        yield made


def test_tokens_outlive_a_restart(store: Store, tmp_path: Path) -> None:
    """What was issued before is good after it, and so is the identity header."""
    before = Tokens(store, 60)
    token, _ = before.issue(ARM)

    with closing(Store(tmp_path)) as again:
        after = Tokens(again, 60)

    after.check(token, ARM)
    assert after.identity == before.identity


def test_a_token_is_good_for_its_time(store: Store) -> None:
    """It says when it expires, and then it has."""
    tokens = Tokens(store, -1)
    late, expired = tokens.issue(ARM)
    good, expires = tokens.issue(ARM, seconds=60)

    tokens.check(good, ARM)
    with pytest.raises(Unauthorized, match="expired"):
        tokens.check(late, ARM)
    assert expires - expired == pytest.approx(61, abs=2)


@pytest.mark.parametrize(("asked", "opens"), [(ARM, ARM), ("https://other", ARM), (ML, ML), (f"{ML}/", ML)])
def test_the_audience_of_a_managed_identity(store: Store, asked: str, opens: str) -> None:
    """Endpoints take tokens for Azure ML alone, the resource manager all others."""
    tokens = Tokens(store, 60)

    token = tokens.managed_identity(tokens.identity, asked)["access_token"]

    assert [audience for audience in (ARM, ML) if tokens.opens(audience)(token)] == [opens]
