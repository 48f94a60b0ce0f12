"""What holds for every page: everybody can read it, on a telephone too, and nothing in it fails."""

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import axe_playwright_python
from playwright.sync_api import ConsoleMessage, Page, Request, Response

DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
_OPTIONS = {
    "runOnly": RULES,
    "resultTypes": ["violations"],
    **dict.fromkeys(("iframes", "preload", "elementRef", "ancestry"), False),
}
# What another width can spoil; the rest is the same document.
_NARROW = {**_OPTIONS, "runOnly": ["target-size", "scrollable-region-focusable", "link-name", "button-name"]}
# Most of what axe costs, so that only those letters are judged that have a look of their own: see ``_violations``.
_CONTRAST = {**_OPTIONS, "runOnly": ["color-contrast"]}
_WITHOUT_CONTRAST = {**_OPTIONS, "rules": {"color-contrast": {"enabled": False}}}
_NEW_LOOKS = """([seen, options]) => {
    const known = new Set(seen), grounds = new Map([[null, ""]]);
    const ground = (element) => {
        if (!grounds.has(element)) {
            const { backgroundColor, backgroundImage, opacity, position } = getComputedStyle(element);
            const own = [backgroundColor, backgroundImage, opacity, position.replace("relative", "static")].join(" ");
            const plain = own === "rgba(0, 0, 0, 0) none 1 static";
            grounds.set(element, ground(element.parentElement) + (plain ? "" : "/" + own));
        }
        return grounds.get(element);
    };
    const look = (element) => {
        const { color, fontSize, fontWeight, textShadow } = getComputedStyle(element);
        return [color, fontSize, fontWeight, textShadow, ground(element)].join(" ");
    };
    const visible = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true })
        && element.getBoundingClientRect().width > 1;
    const speaks = (element) => element.matches("input, select, textarea")
        || [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    const fresh = [...document.body.querySelectorAll("*")].filter(speaks).filter(visible)
        .map((element) => [element, look(element)]).filter(([_, its]) => !known.has(its));
    if (!fresh.length) return [[], []];
    return axe.run(fresh.map(([element, _]) => element), options)
        .then(({ violations }) => [violations, [...new Set(fresh.map(([_, its]) => its))]]);
}"""
_RUN = "(options) => axe.run(document, options).then((result) => result.violations)"
_seen: set[str] = set()
_DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
_FACTS = """() => ({
    lang: document.documentElement.lang,
    title: document.title.trim(),
    headings: [...document.querySelectorAll("h1")].filter((h) => h.checkVisibility()).length,
    mains: document.querySelectorAll("main, [role=main]").length,
    wide: document.documentElement.scrollWidth - window.innerWidth,
})"""


class Watch:
    """Listens to a page from its opening on, and tells what went wrong in it."""

    def __init__(self, page: Page, hosts: set[str]) -> None:
        self._hosts = hosts
        self._wrong: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._wrong.append(f"error in a script: {error}"))
        page.on("requestfailed", self._failed)
        page.on("response", self._response)
        page.on("request", self._request)

    def take(self) -> list[str]:
        """What has gone wrong since the last time."""
        wrong, self._wrong = self._wrong, []
        return wrong

    def _console(self, message: ConsoleMessage) -> None:
        # Chromium says so of the page itself, whose status is another matter.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self._wrong.append(f"console: {message.text[:300]}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # left behind by going on to another page
            self._wrong.append(f"{request.url} failed: {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and not response.request.is_navigation_request():
            self._wrong.append(f"{response.url} answered {response.status}")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https") and parts.netloc not in self._hosts:
            self._wrong.append(f"{request.url} is of somebody else")


def examine(page: Page, *, mail: bool = False) -> list[str]:
    """What is wrong with the page as it stands, on a telephone and on a desk; a mail has no parts and no headings.

    The size it has comes first, so that the page stays in the other one.
    """
    wrong: list[str] = []
    looks = ((PHONE, _NARROW), (DESK, _WITHOUT_CONTRAST))
    for size, options in sorted(looks, key=lambda each: each[0] != page.viewport_size):
        if size != page.viewport_size:
            page.set_viewport_size(size)
            page.evaluate(_DRAWN)
        facts = page.evaluate(_FACTS)
        told = [f"{rule} {places}" for rule, places in _violations(page, options)]
        told += ["its language is not said"] if facts["lang"] != "it" else []
        told += ["no title"] if not facts["title"] else []
        told += [f"{facts['headings']} main headings"] if facts["headings"] != 1 and not mail else []
        told += [f"{facts['mains']} main parts"] if facts["mains"] != 1 and not mail else []
        told += [f"{facts['wide']} px too wide"] if facts["wide"] > 0 else []
        wrong += [f"at {size['width']} px: {what}" for what in told]
    return wrong


def _violations(page: Page, options: dict[str, Any]) -> list[tuple[str, list[Any]]]:
    """axe, brought in from outside the page: its policy lets no such script in, and stays in force.

    The contrast of letters comes of their colour and size and of what is under them: the same is not judged again.
    """
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(_axe())
    found = page.evaluate(_RUN, options)
    if options is _WITHOUT_CONTRAST:
        pale, looks = page.evaluate(_NEW_LOOKS, [list(_seen), _CONTRAST])
        found += pale
        _seen.update(looks)
    return [(broken["id"], [node["target"] for node in broken["nodes"]][:5]) for broken in found]


@cache
def _axe() -> str:
    return AXE.read_text()
