"""What a page is made of: its forms as a browser would send them, and what in it could do something by itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

NOT_SENT = {"reset", "image", "file"}


@dataclass
class Form:
    """``fields``: name and value as the page has them; ``kinds``: what each name is (``text``, ``select`` …)."""

    action: str
    method: str
    multipart: bool
    fields: list[tuple[str, str]] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, kind: str, value: str) -> None:
        self.kinds.setdefault(name, kind)
        if kind in NOT_SENT or (kind == "radio" and any(name == given for given, _value in self.fields)):
            return
        self.fields.append((name, value))

    def choose(self, name: str, value: str, selected: bool) -> None:
        """What is selected, else the first that says something."""
        chosen = dict(self.fields).get(name, "")
        self.choices.setdefault(name, []).append(value)
        if selected or not chosen:
            self.fields = [pair for pair in self.fields if pair[0] != name] + [(name, value)]


class Page(HTMLParser):
    """Reads a page; ``wrong`` is what a policy without inline code would have to forbid in it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self.wrong: list[str] = []
        self.tags: set[str] = set()
        self._form: Form | None = None
        self._select = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        inline = tag == "script" and "src" not in values and "json" not in values.get("type", "")
        if inline or tag in ("style", "object", "embed", "base"):
            self.wrong.append(f"<{tag}>")
        for name, value in values.items():
            if name.startswith("on") or name in ("style", "srcdoc") or value.strip().lower().startswith("javascript:"):
                self.wrong.append(f"<{tag} {name}={value[:40]!r}>")
        self._read(tag, values)

    def _read(self, tag: str, values: dict[str, str]) -> None:
        name = values.get("name", "")
        if tag == "form":
            multipart = "multipart" in values.get("enctype", "")
            self._form = Form(values.get("action", ""), values.get("method", "get").lower(), multipart)
            self.forms.append(self._form)
        elif self._form and tag == "option" and self._select:
            self._form.choose(self._select, values.get("value", ""), "selected" in values)
        elif self._form and tag == "select":
            self._select = name
            self._form.kinds[name] = tag
        elif self._form and name and tag in ("input", "textarea", "button"):
            kind = values.get("type", "text") if tag == "input" else tag
            self._form.add(name, kind, values.get("value", "on" if kind in ("checkbox", "radio") else ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        if tag == "select":
            self._select = ""


def forms(html: str) -> list[Form]:
    """Those that change something."""
    return [form for form in Page(html).forms if form.method == "post"]
