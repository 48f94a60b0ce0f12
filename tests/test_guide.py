"""The guide keeps its word: each of its pictures is taken by a walk, and what it says to press is on a page."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "docs" / "guida"
PAGES = {path: path.read_text(encoding="utf-8") for path in sorted(GUIDE.glob("*.md"))}
MOST_BYTES = 60_000


def shown() -> list[str]:
    return [name for text in PAGES.values() for name in re.findall(r"!\[[^\]]{10,}\]\(img/([\w-]+)\.webp\)", text)]


def taken() -> Iterator[str]:
    """Each ``picture(page, "name")`` of the walks, and each ``picture="name"`` of the list of pages."""
    for path in sorted((ROOT / "tests" / "browser").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            names = [keyword.value for keyword in node.keywords if keyword.arg == "picture"]
            if isinstance(node.func, ast.Name) and node.func.id == "picture":
                names.append(node.args[1])
            yield from (str(ast.literal_eval(name)) for name in names if isinstance(name, ast.Constant))


def on_pages() -> str:
    """All that a page may say: the templates, and the sentences in the code."""
    folders = ("templates", "members", "pec_requests", "albo_pec", "aruba_sandbox")
    files = [path for folder in folders for ending in ("*.html", "*.py") for path in (ROOT / folder).rglob(ending)]
    return " ".join(" ".join(path.read_text(encoding="utf-8") for path in files).split())


def test_the_pictures_are_those_that_the_walks_take() -> None:
    assert sorted(shown()) == sorted(set(taken())), "after a change of either: make guida"
    assert {path.name for path in (GUIDE / "img").iterdir()} == {f"{name}.webp" for name in shown()}


def test_the_pictures_are_small() -> None:
    assert {path.name for path in (GUIDE / "img").iterdir() if path.stat().st_size >= MOST_BYTES} == set()


def test_what_the_guide_says_to_press_is_on_a_page() -> None:
    """With a capital, which Django gives to what it lists."""
    bold = re.findall(r"\*\*(.+?)\*\*", "\n".join(PAGES.values()), re.DOTALL)
    words = {" ".join(each.split()) for each in bold} - {"grassetto"}
    assert len(words) > 50
    pages = on_pages()
    found = {word for word in words if re.search(rf"(?<!\w)(?i:{word[0]}){re.escape(word[1:])}(?!\w)", pages)}
    assert words - found == set()


def test_the_guide_leads_nowhere_else_than_to_itself() -> None:
    for path, text in PAGES.items():
        for file, part in re.findall(r"(?<!!)\[[^\]]+\]\(([\w.]*)#?([\w-]*)\)", text):
            target = PAGES[path.with_name(file) if file else path]
            titles = re.findall(r"^## (.+)$", target, re.MULTILINE)
            parts = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
            assert not part or part in parts, f"{path.name}: {part}"
    assert "docs/guida/README.md" in (ROOT / "README.md").read_text(encoding="utf-8")
