"""The pictures of docs/guida, taken by the walks on their way, but only when asked for: `make guida`.

The same page gives the same picture on every day and every machine: what is of today becomes a fixed day and hour.
"""

from __future__ import annotations

import os
from pathlib import Path

from playwright.sync_api import Page, ViewportSize

from tests.browser.looking import DESK, PHONE

ASKED = bool(os.environ.get("GUIDE_PICTURES"))
FOLDER = Path(__file__).resolve().parents[2] / "docs" / "guida" / "img"
# By the first word of a picture's name: on a telephone or at a desk, and how much of a long page is shown.
SIZES: dict[str, tuple[ViewportSize, int]] = {
    "iscritto": (PHONE, 1250),
    "gestore": (PHONE, 1250),
    "segreteria": (DESK, 720),
}
_taken: set[str] = set()

# Days from yesterday to a year ahead are moved as if today were the 15 September 2026, at half past ten; addresses and
# codes that are new each time become examples. It is undone afterwards, and the focus is where it was.
_STILL = r"""() => {
    const today = new Date(new Date().toDateString()), fixed = new Date(2026, 8, 15);
    const long = (date) => date.toLocaleDateString("it", { day: "numeric", month: "long", year: "numeric" });
    const short = (date) => date.toLocaleDateString("it", { day: "2-digit", month: "2-digit", year: "numeric" });
    const moves = [];
    for (let away = -1; away <= 366; away++) {
        const [from, to] = [today, fixed].map((d) => new Date(d.getFullYear(), d.getMonth(), d.getDate() + away));
        moves.push([long(from), long(to)], [short(from), short(to)]);
    }
    const moved = new Map(moves);
    const date = /\b\d{1,2} [a-z]+ \d{4}\b|\b\d\d\/\d\d\/\d{4}\b/g;
    const still = (words) => words
        .replace(date, (found) => moved.get(found) ?? found)
        .replace(/\b\d\d:\d\d(:\d\d)?\b/g, "10:30")
        .replace(/http:\/\/127\.0\.0\.1:\d+/g, "https://albo-pec.example")
        .replace(/\b[A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}\b/g, "K7QX-M4TD-9RWH");
    const focused = document.activeElement, texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const changed = [];
    while (texts.nextNode()) {
        const node = texts.currentNode, before = node.data;
        node.data = still(before);
        if (node.data !== before) changed.push([node, before]);
    }
    focused?.blur();
    scrollTo({ top: 0, behavior: "instant" });
    window.undoStill = () => {
        for (const [node, before] of changed) node.data = before;
        focused?.focus({ preventScroll: true });
    };
    const frame = () => new Promise((drawn) => requestAnimationFrame(drawn));
    return document.fonts.ready.then(frame).then(frame);
}"""
# Below the last of what is said in the main part, which may itself reach to the end of the window.
_END = """() => Math.ceil(Math.max(...[...document.querySelectorAll(":is(main, [role=main]) *:not(:has(*))")]
    .filter((element) => element.checkVisibility()).map((element) => element.getBoundingClientRect().bottom))) + 24"""


def picture(page: Page, name: str, *, end: bool = False) -> None:
    """From the top of the page to the end of its main part; the ``end`` of a long one. Who first comes by takes it."""
    if not ASKED or name in _taken:
        return
    _taken.add(name)
    before = page.viewport_size
    size, tallest = SIZES[name.partition("-")[0]]
    page.set_viewport_size(size)
    page.wait_for_load_state()  # a link that has been followed may lead to no more than the beginning of a page
    page.evaluate(_STILL)
    assert "127.0.0.1" not in page.locator("body").inner_text(), f"{name} shows where it was taken"
    bottom = int(page.evaluate(_END))
    FOLDER.mkdir(parents=True, exist_ok=True)
    page.screenshot(
        path=FOLDER / f"{name}.webp",
        type="webp",
        quality=80,
        full_page=True,
        clip={
            "x": 0,
            "y": max(bottom - size["height"], 0) if end else 0,
            "width": size["width"],
            "height": min(bottom, size["height"] if end else tallest),
        },
        animations="disabled",
        scale="css",
    )
    page.evaluate("() => window.undoStill()")
    if before:
        page.set_viewport_size(before)
