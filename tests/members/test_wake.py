"""Messages to workers: one stands for many."""

from __future__ import annotations

import pytest
from django.db import transaction

from members import wake

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def delivered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(wake, "deliver", lambda task: bool(names.append(task)) or True)
    return names


def test_once_for_each_transaction(delivered: list[str]) -> None:
    with transaction.atomic():
        wake.wake("a")
        wake.wake("a")
        assert not delivered
    wake.wake("a")
    assert delivered == ["a", "a"]


def test_bundled_the_first_at_once_and_the_last_at_the_end(delivered: list[str]) -> None:
    with wake.bundled():
        for _commit in range(100):
            wake.wake("a")
        wake.wake("b")
        assert delivered == ["a", "b"]
    assert delivered == ["a", "b", "a"]


def test_what_is_owed_is_delivered_even_after_an_error(delivered: list[str]) -> None:
    with pytest.raises(ZeroDivisionError), wake.bundled():
        wake.wake("a")
        wake.wake("a")
        1 / 0  # noqa: B018
    assert delivered == ["a", "a"]
