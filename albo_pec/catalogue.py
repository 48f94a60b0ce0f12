"""The translations: what there is to translate, and the files of a language, read and written without GNU gettext.

The catalogue holds the member's side: every sentence of the files that are not the office's alone. It is complete or a
test fails. The office is Italian, and so is its side of the code.
"""

from __future__ import annotations

import ast
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path

from django.conf import settings
from django.utils.translation.template import templatize

ROOT = Path(settings.BASE_DIR)
FOLDERS = ("albo_pec", "audit", "members", "pec_requests", "templates")
# What only the office reads, or an administrator. In doubt a file is the member's.
OFFICE = (
    "templates/admin/*",
    "templates/mail/log_*",
    "templates/mail/office_*",
    "templates/mail/provider_*",
    "templates/mail/recovery_alarm.*",
    "templates/mail/recovery_untold.*",
    "*/admin/*",
    "*/admin.py",
    "*/*_admin.py",
    "*/apps.py",
    "*/letter_examples.py",
    "*/management/*",
    "*/migrations/*",
    "albo_pec/admin_site.py",
    "albo_pec/database_rights.py",
    *(f"audit/{name}.py" for name in ("models", "offline", "retention", "verifying")),
    "members/*_files.py",
    "members/entry_models.py",
    "members/*filters.py",
    "members/import*.py",
    "members/lists.py",
    "members/spreadsheets.py",
    "members/staffing.py",
    *(
        f"pec_requests/{name}"
        for name in (
            *("attention.py", "batches.py", "comparing.py", "corrections.py", "forgetting.py"),
            *("leaving.py", "merging.py"),
            *("performing.py", "provider/*", "reconcile.py", "register.py", "settling.py", "transfers.py"),
        )
    ),
)
_SINGLE = {"_", "gettext", "gettext_lazy", "gettext_noop"}
_PLURAL = {"ngettext", "ngettext_lazy"}
_STRING = r"""(u?(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"))"""
_IN_TEMPLATE = re.compile(rf"(?<![\w])(?:gettext|_|ngettext)\({_STRING}(?:, {_STRING})?[,)]")
_KEYWORD = re.compile(r"(msgid_plural|msgid|msgstr(?:\[\d\])?) ")
_HEADER = "Content-Type: text/plain; charset=UTF-8\nLanguage: {}\nPlural-Forms: nplurals=2; plural=(n != 1);\n"


@dataclass(frozen=True)
class Message:
    """One sentence, the files it stands in, and what it reads in another language: one text, or one and many."""

    singular: str
    plural: str = ""
    files: tuple[str, ...] = ()
    texts: tuple[str, ...] = field(default=())

    @property
    def translated(self) -> bool:
        return len(self.texts) == (2 if self.plural else 1) and all(self.texts)


def path_of(language: str, suffix: str) -> Path:
    return ROOT / "locale" / language / "LC_MESSAGES" / f"django.{suffix}"


def messages() -> dict[str, Message]:
    """Every sentence of the member's side, in the order of the files."""
    found: dict[str, Message] = {}
    for name in _files():
        text = (ROOT / name).read_text(encoding="utf-8")
        for singular, plural in _in_python(text) if name.endswith(".py") else _in_template(text):
            known = found.get(singular, Message(singular))
            files = known.files if name in known.files else (*known.files, name)
            found[singular] = replace(known, plural=plural or known.plural, files=files)
    return found


def read(language: str) -> dict[str, Message]:
    """What the .po file of a language says; nothing where there is none yet."""
    path = path_of(language, "po")
    blocks = path.read_text(encoding="utf-8").split("\n\n") if path.exists() else []
    read_ones = (_read_block(block) for block in blocks)
    return {message.singular: message for message in read_ones if message.singular}


def update(language: str) -> list[Message]:
    """Bring the .po file of a language in step with the code, and the .mo file with it. Return what is untranslated."""
    known = read(language)
    wanted = [
        replace(message, texts=known[message.singular].texts) if message.singular in known else message
        for message in messages().values()
    ]
    header = _HEADER.format(language)
    path_of(language, "po").parent.mkdir(parents=True, exist_ok=True)
    blocks = [f'msgid ""\nmsgstr {_quoted(header)}', *map(_block, wanted)]
    path_of(language, "po").write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    path_of(language, "mo").write_bytes(_compiled(header, wanted))
    return [message for message in wanted if not message.translated]


# --- Looking for sentences --------------------------------------------------------------------------------------------
def _files() -> Iterator[str]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            name = path.relative_to(ROOT).as_posix()
            if path.suffix in (".py", ".html", ".txt") and not any(fnmatch(name, office) for office in OFFICE):
                yield name


def _in_python(text: str) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        strings = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        if node.func.id in _SINGLE and strings:
            yield strings[0], ""
        elif node.func.id in _PLURAL and len(strings) == 2:
            yield strings[0], strings[1]


def _in_template(text: str) -> Iterator[tuple[str, str]]:
    """Django draws a template as if it were code, with the calls that it will make."""
    for singular, plural in _IN_TEMPLATE.findall(templatize(text)):
        yield ast.literal_eval(singular), ast.literal_eval(plural) if plural else ""


# --- The files --------------------------------------------------------------------------------------------------------
def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _block(message: Message) -> str:
    lines = [f"#: {name}" for name in message.files]
    lines.append(f"msgid {_quoted(message.singular)}")
    if message.plural:
        texts = message.texts or ("", "")
        lines.append(f"msgid_plural {_quoted(message.plural)}")
        lines += [f"msgstr[{number}] {_quoted(text)}" for number, text in enumerate(texts)]
    else:
        lines.append(f"msgstr {_quoted(''.join(message.texts[:1]))}")
    return "\n".join(lines)


def _read_block(block: str) -> Message:
    """As other programs write it, too: a text may go on in the next lines."""
    parts: dict[str, str] = {}
    keyword = ""
    for line in block.splitlines():
        if found := _KEYWORD.match(line):
            keyword, line = found[1], line[found.end() :]
            parts[keyword] = ""
        if line.startswith('"') and keyword:
            parts[keyword] += ast.literal_eval(line)
    texts = tuple(text for keyword, text in parts.items() if keyword.startswith("msgstr"))
    return Message(parts.get("msgid", ""), parts.get("msgid_plural", ""), texts=texts)


def _compiled(header: str, translated: list[Message]) -> bytes:
    """The .mo format: sorted texts, and a table of where each begins."""
    pairs = {"": header}
    for message in translated:
        if message.translated:
            key = f"{message.singular}\0{message.plural}" if message.plural else message.singular
            pairs[key] = "\0".join(message.texts)
    encoded = sorted((key.encode(), text.encode()) for key, text in pairs.items())
    count, size = len(encoded), 28 + 16 * len(encoded)
    tables: list[bytes] = []
    texts = b""
    for column in (0, 1):
        for pair in encoded:
            tables.append(struct.pack("<2I", len(pair[column]), size + len(texts)))
            texts += pair[column] + b"\0"
    return struct.pack("<7I", 0x950412DE, 0, count, 28, 28 + 8 * count, 0, 0) + b"".join(tables) + texts
