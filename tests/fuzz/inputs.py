"""What a form may be sent: what it asks for, and everything else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.test import Client
from django.utils.http import urlencode
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.attacks.forms import Sheet

# Each has broken something somewhere.
ODD = [
    "",
    " ",
    "\x00",
    "a\x00b",
    "\ufeff",
    "\u202eeman",
    "e\u0301",
    "ﷺ" * 20,
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
    "👩‍👩‍👧‍👦",
    "İ",
    "ß",
    "²",
    "٣",
    "\ud7ff",
    "\r\nBcc: x@example.com",
    "%00",
    "%",
    "%s%n",
    "{{ 7 }}{% now %}",
    "'; DROP TABLE members_member; --",
    "=cmd|' /C calc'!A0",
    "<script>1</script>",
    "../../../etc/passwd",
    "NaN",
    "Infinity",
    "-0",
    "1e309",
    "-1",
    "0",
    "9" * 30,
    "99999999999999999999",
    "2147483648",
    "9223372036854775808",
    "0000-00-00",
    "31/02/2020",
    "9999-12-31",
    "00000000-0000-0000-0000-000000000000",
    "true",
    "null",
    "[]",
    '{"a": 1}',
    "x" * 300,
    "x" * 70_000,
    "a@b",
    "a@" + "b" * 300 + ".it",
    '"a b"@example.com',
    "à@è.it",
]
texts = st.one_of(
    st.sampled_from(ODD),
    st.text(max_size=40),
    st.integers().map(str),
    st.dates().map(str),
    st.characters(categories=["Cc", "Cf", "Co", "Zl", "Zs"]),
)
Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Input:
    """A body and what it says to be, sent so many times to one address."""

    sheet: Sheet
    body: bytes
    content_type: str
    times: int
    query: str = ""

    def send(self, client: Client) -> list[int]:
        address = self.sheet.address + (("&" if "?" in self.sheet.address else "?") + self.query if self.query else "")
        said: dict[str, Any] = {"content_type": self.content_type}
        return [client.generic("POST", address, self.body, **said).status_code for _time in range(self.times)]


@st.composite
def inputs(draw: DrawFn, sheets: list[Sheet]) -> Input:
    """Mostly as the form has it, but for a field or two: what is wrong from the first byte gets no further."""
    sheet = draw(st.sampled_from(sheets))
    pairs = draw(_pairs(sheet))
    body, content_type = draw(_encoded(pairs))
    query = draw(
        st.one_of(st.just(""), st.just(""), texts.map(lambda text: urlencode({"next": text[:500], "q": text[:500]})))
    )
    return Input(sheet, body, content_type, draw(st.sampled_from([1, 1, 1, 2])), query)


@st.composite
def _pairs(draw: DrawFn, sheet: Sheet) -> Pairs:
    pairs = list(sheet.filled())
    names = [name for name, _value in pairs] or ["x"]
    for _change in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(names))
        match draw(st.sampled_from(["odd", "odd", "odd", "other", "gone", "twice", "unasked"])):
            case "odd":
                pairs = [(n, draw(texts) if n == name else value) for n, value in pairs]
            case "other" if sheet.form.choices.get(name):
                pairs = [(n, draw(st.sampled_from(sheet.form.choices[name])) if n == name else v) for n, v in pairs]
            case "gone":
                pairs = [(n, value) for n, value in pairs if n != name]
            case "twice":
                pairs = [*pairs, (name, draw(texts))]
            case _:
                pairs = [*pairs, (draw(texts)[:300], draw(texts))]
    return pairs


@st.composite
def _encoded(draw: DrawFn, pairs: Pairs) -> tuple[bytes, str]:
    plain = urlencode([(_clean(name), _clean(value)) for name, value in pairs]).encode()
    form = "application/x-www-form-urlencoded"
    match draw(
        st.sampled_from(["form"] * 12 + ["multipart", "multipart", "cut", "latin", "lie", "json", "raw", "boundary"])
    ):
        case "form":
            return plain, form
        case "multipart":
            return _multipart(pairs), "multipart/form-data; boundary=XX"
        case "cut":
            whole = _multipart(pairs)
            return whole[: draw(st.integers(0, len(whole)))], "multipart/form-data; boundary=XX"
        case "latin":
            return (
                plain + b"&x=%E0%FF%C0&y=\xe0\xff%zz",
                f"{form}; charset={draw(st.sampled_from(['latin-1', 'utf-16', 'x']))}",
            )
        case "lie":
            return _multipart(pairs), form
        case "json":
            return json.dumps(dict(pairs)).encode(), "application/json"
        case "boundary":
            return _multipart(
                pairs
            ), f"multipart/form-data; boundary={draw(st.sampled_from(['', 'x' * 300, 'é', 'YY']))}"
    return draw(st.binary(max_size=400)), draw(
        st.sampled_from([form, "multipart/form-data; boundary=XX", "text/plain"])
    )


def _multipart(pairs: Pairs) -> bytes:
    parts = [
        f'--XX\r\nContent-Disposition: form-data; name="{_clean(name)}"\r\n\r\n{_clean(value)}\r\n'
        for name, value in pairs
    ]
    file = '--XX\r\nContent-Disposition: form-data; name="file"; filename="../x\x00.csv"\r\n\r\nà;b\r\n'
    return "".join([*parts, file, "--XX--\r\n"]).encode("utf-8", "surrogatepass")


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
