"""What holds for every page: everybody can read it, on a telephone too, and nothing in it fails."""

from functools import cache
from pathlib import Path
from typing import Any

import axe_playwright_python
from playwright.sync_api import ConsoleMessage, Page, ViewportSize

DESK: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
_OPTIONS = {
    "runOnly": RULES,
    "resultTypes": ["violations"],
    **dict.fromkeys(("iframes", "preload", "elementRef", "ancestry"), False),
}
# What another size can spoil; the rest is the same document.
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
_seen: set[str] = set()
# Where a layout moved after the whole page was drawn: given to every page before its own scripts. What Chromium draws
# of a page that it is still reading goes aside for the rest of it, wherever a busy machine happened to interrupt it.
SHIFTS = """
    window.shifted = [];
    let whole = Infinity;
    document.addEventListener("readystatechange", () =>
        requestAnimationFrame(() => requestAnimationFrame((next) => { whole = Math.min(whole, next); })));
    new PerformanceObserver((list) => {
        for (const { startTime, value, hadRecentInput, sources } of list.getEntries())
            if (startTime >= whole && !hadRecentInput && value > 0.01)
                window.shifted.push(sources.map(({ node }) => node?.outerHTML ?? node?.data).join(" ").slice(0, 200));
    }).observe({ type: "layout-shift", buffered: true });
"""
# 1280 px enlarged to 400 %: what holds here, holds on a telephone, for which no style sheet has rules of its own.
_ENLARGED: ViewportSize = {"width": 320, "height": 256}
# What axe does not judge: levels of headings, what is tied to what, the order of the focus, thumbs.
_BEYOND_AXE = """() => {
    const wrong = [], all = (selector) => [...document.querySelectorAll(selector)];
    const seen = (element) => element.checkVisibility({ visibilityProperty: true });
    const words = (element) => (element.innerText || element.id || element.name || "").trim().slice(0, 40);
    let level = 0;
    for (const heading of all("h1, h2, h3, h4, h5, h6").filter(seen)) {
        const own = Number(heading.tagName[1]);
        if (own > level + 1) wrong.push(`after h${level} comes ${heading.tagName} ${words(heading)}`);
        level = own;
    }
    for (const name of ["aria-describedby", "aria-labelledby", "aria-controls"])
        for (const element of all(`:is(input, select, textarea, button, fieldset, section, nav)[${name}]`))
            for (const id of element.getAttribute(name).split(/\\s+/))
                if (!document.getElementById(id)) wrong.push(`${name} of ${words(element)} leads nowhere: ${id}`);
    for (const field of all("[aria-invalid=true]")) {
        const told = (field.getAttribute("aria-describedby") ?? "").split(/\\s+/);
        if (!told.some((id) => /error/.test(id) && document.getElementById(id)?.innerText.trim()))
            wrong.push(`nothing says what is wrong with ${field.name}`);
        if (!document.querySelector(`[role=alert] a[href="#${field.id}"]`))
            wrong.push(`the summary does not lead to ${field.name}`);
    }
    if (all("[tabindex]").some((element) => element.tabIndex > 0)) wrong.push("a tabindex of its own");
    const stops = all("main a[href], main button, main input, main select, main textarea, main summary")
        .filter((element) => seen(element) && element.tabIndex === 0 && !element.disabled);
    for (let n = 1; n < stops.length; n++) {
        const [one, next] = [stops[n - 1], stops[n]].map((element) => element.getBoundingClientRect());
        if (next.bottom <= one.top && next.left < one.right)
            wrong.push(`the focus goes up from ${words(stops[n - 1])} to ${words(stops[n])}`);
    }
    for (const action of all("main .btn, main [type=submit]").filter(seen))
        if (action.getBoundingClientRect().height < 44) wrong.push(`too small for a thumb: ${words(action)}`);
    return wrong;
}"""
# All of one size in one call: each costs a way to the browser and back.
_LOOK = f"""async ([options, contrast, seen]) => {{
    await document.fonts.ready;
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    const {{ violations }} = await axe.run(document, options);
    const [pale, looks] = contrast ? await ({_NEW_LOOKS})([seen, contrast]) : [[], []];
    return {{
        looks, pale, violations,
        beyond: contrast ? ({_BEYOND_AXE})() : [],
        lang: document.documentElement.lang,
        title: document.title.trim(),
        headings: [...document.querySelectorAll("h1")].filter((h) => h.checkVisibility()).length,
        mains: document.querySelectorAll("main, [role=main]").length,
        wide: document.documentElement.scrollWidth - window.innerWidth,
        shifted: window.shifted ?? [],
    }};
}}"""


_NOT_LOADED = "Failed to load resource"
# Of a frame that lets no script in, not even one of these tests.
_EXPECTED = "Blocked script execution"


class Watch:
    """Listens to a page from its opening on, and tells what went wrong in it: errors, and what could not be loaded.

    To nothing else, since each request would cost a way from the browser to here. Nor can anything be loaded from
    somebody else: see ``browser`` in the conftest.
    """

    def __init__(self, page: Page) -> None:
        self._wrong: list[str] = []
        self._not_loaded: dict[str, str] = {}
        self.screens: list[str] = []  # the addresses of all that was shown, also without being looked at
        page.on("framenavigated", lambda frame: self.screens.append(frame.url))
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._wrong.append(f"error in a script: {error}"))

    def take(self) -> list[str]:
        """What has gone wrong since the last time. The status of a page itself is another matter."""
        parts = [f"{why}: {url}" for url, why in self._not_loaded.items() if url not in self.screens]
        wrong, self._wrong, self._not_loaded = [*self._wrong, *parts], [], {}
        return wrong

    def _console(self, message: ConsoleMessage) -> None:
        if message.text.startswith(_NOT_LOADED):
            self._not_loaded[message.location["url"]] = message.text
        elif message.type in ("error", "warning") and not message.text.startswith(_EXPECTED):
            self._wrong.append(f"console: {message.text[:300]}")


def examine(page: Page, *, mail: bool = False) -> list[str]:
    """What is wrong with the page as it stands, on a desk and enlarged.

    A mail has no parts and no headings, and is read on a telephone instead.

    The sizes come in the order that begins with the one it has, so that the next page begins where this one ends.
    axe is brought in from outside the page: its policy lets no such script in, and stays in force.
    """
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(_axe())
    wrong: list[str] = []
    looks = [(DESK, _WITHOUT_CONTRAST), (PHONE if mail else _ENLARGED, _NARROW)]
    looks = looks if page.viewport_size == DESK else looks[::-1]
    for size, options in looks:
        if size != page.viewport_size:
            page.set_viewport_size(size)
        # The contrast of letters comes of their colour and size and of what is under them: none is judged again.
        contrast = _CONTRAST if size == DESK else None
        seen = page.evaluate(_LOOK, [options, contrast, list(_seen) if contrast else []])
        _seen.update(seen["looks"])
        # In the office Django's own scripts build parts of the forms once they are there.
        if size == looks[0][0] and not mail and "/admin/" not in page.url:
            wrong += [f"once it is drawn, there moves {what}" for what in seen["shifted"]]
        wrong += [f"at {size['width']} px: {what}" for what in _told(seen, mail)]
    return wrong


def _told(seen: dict[str, Any], mail: bool) -> list[str]:
    broken = [*seen["violations"], *seen["pale"]]
    told = [f"{rule['id']} {[node['target'] for node in rule['nodes']][:5]}" for rule in broken]
    told += ["its language is not said"] if seen["lang"] not in ("it", "de") else []
    told += ["no title"] if not seen["title"] else []
    told += [f"{seen['wide']} px too wide"] if seen["wide"] > 0 else []
    if not mail:
        told += [f"{seen['headings']} main headings"] if seen["headings"] != 1 else []
        told += [f"{seen['mains']} main parts"] if seen["mains"] != 1 else []
        told += seen["beyond"]
    return told


@cache
def _axe() -> str:
    return AXE.read_text()
