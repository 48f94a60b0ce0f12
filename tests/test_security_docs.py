"""What is said of security stays true: every requirement of the ASVS once, and whatever is named is there."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from django.urls import Resolver404, resolve

from members.password_validation import OUR_WORDS
from tests.test_readme import CODE

ROOT = Path(__file__).resolve().parent.parent
ASVS = ROOT / "docs" / "asvs.md"
PAGES = [ASVS, ROOT / "docs" / "security.md", ROOT / "docs" / "produzione.md", ROOT / "SECURITY.md"]
# The level of each requirement of ASVS 5.0.0, by section, in the order of their numbers.
LEVELS = dict(
    re.findall(
        r"([\d.]+):(\d+)",
        """
    1.1:22 1.2:1111122223 1.3:112222222223 1.4:222 1.5:123 2.1:122 2.2:112 2.3:12223 2.4:23 3.2:113 3.3:12223
    3.4:11222233 3.5:11122333 3.7:22333 4.1:12233 4.2:23333 4.3:22 4.4:1222 5.1:2 5.2:112333 5.3:113 5.4:222 6.1:122
    6.2:111111112222 6.3:11223333 6.4:112233 6.5:22222333 6.6:2223 6.8:2222 7.1:222 7.2:1111 7.3:22 7.4:11222
    7.5:223 7.6:22 8.1:1233 8.2:1123 8.3:133 8.4:23 9.1:111 9.2:1222 10.1:22 10.2:223 10.3:22223
    10.4:1111122222233333 10.5:22222 10.6:22 10.7:222 11.1:2233 11.2:22233 11.3:11233 11.4:1222 11.5:23 11.6:23
    12.1:12233 12.2:11 12.3:22223 13.1:2333 13.2:222223 13.3:2233 13.4:1222233 14.1:22 14.2:12223333 14.3:122
    15.1:12233 15.2:12233 15.3:1222222 16.1:2 16.2:22222 16.3:2222 16.4:222 16.5:2223 17.1:23 17.2:22223333 17.3:22
    """,
    )
)
OUTCOMES = ("soddisfatto", "a chi installa", "non applicabile", "non soddisfatto")
ROW = re.compile(r"^\| (\d+\.\d+\.\d+) \| (\d) \| (.+?) \| (.+?) \| (.+?) \| (.+) \|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
FILE = re.compile(
    r"`((?:albo_pec|audit|members|pec_requests|aruba_sandbox|templates|static|tests|docs)/[\w/.-]*\w"
    r"|requirements[\w-]*\.txt|docker-compose\.yml|Dockerfile)`"
)
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)")
ADDRESS = re.compile(r"`(/[\w/.-]*)`")
SETTING = re.compile(r"`([A-Z]+_[A-Z_]+)")


def rows() -> list[tuple[str, ...]]:
    return ROW.findall(ASVS.read_text(encoding="utf-8"))


@cache
def functions(path: Path) -> frozenset[str]:
    """The names of the tests of a module, read and not run."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@cache
def anchors(path: Path) -> frozenset[str]:
    """Where a link may lead within a page, as GitHub and others name it."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return frozenset(re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings)


def test_every_requirement_stands_there_once_with_its_level() -> None:
    wanted = [
        (f"{section}.{number}", level)
        for section, levels in LEVELS.items()
        for number, level in enumerate(levels, 1)
        if level != "3"
    ]
    assert len(wanted) == 253
    assert [row[:2] for row in rows()] == wanted


def test_no_row_is_without_its_proof_or_reason() -> None:
    for number, _level, asked, outcome, words, tests in rows():
        assert outcome in OUTCOMES, number
        assert len(asked) >= 4 and words.endswith("."), number
        if outcome == "soddisfatto":
            assert TEST.search(tests), number
        else:
            assert len(words) > (10 if outcome == "non applicabile" else 80), number


def test_the_counts_at_the_top_are_those_of_the_table() -> None:
    told = dict(re.findall(r"^\| ([a-z ]+) \| (\d+) \| ", ASVS.read_text(encoding="utf-8"), re.MULTILINE))
    counted = Counter(row[3] for row in rows())
    assert {outcome: int(number) for outcome, number in told.items()} == counted


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_address_and_test_that_is_named_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = [f"{path}::{name}" for path, name in TEST.findall(text) if not is_test(path, name)]
    missing += [path for path in FILE.findall(text) if not (ROOT / path).exists()]
    for path, anchor in LINK.findall(text):
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            missing.append(f"{path}#{anchor}")
    missing += [address for address in ADDRESS.findall(text) if not resolves(address)]
    code = "\n".join(path.read_text(encoding="utf-8") for path in CODE)
    missing += [name for name in SETTING.findall(text) if name not in code]
    assert missing == []


def is_test(path: str, name: str) -> bool:
    return (ROOT / path).is_file() and name in functions(ROOT / path)


def resolves(address: str) -> bool:
    try:
        return bool(resolve(address))
    except Resolver404:
        return False


def test_the_words_that_a_password_must_not_be_are_told() -> None:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    assert {word for word in OUR_WORDS if f"`{word}`" not in text} == set()
