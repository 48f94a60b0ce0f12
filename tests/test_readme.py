"""The documentation keeps its word: every setting, command and address in the README exists, and none is missing."""

from __future__ import annotations

import re
from pathlib import Path

from django.core.management import get_commands
from django.urls import Resolver404, resolve

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = [
    path
    for folder in ("albo_pec", "audit", "members", "pec_requests", "aruba_sandbox")
    for path in (ROOT / folder).rglob("*.py")
] + [ROOT / "tests" / "chromium.py"]
READS = re.compile(r"""(?:\benv(?:\.\w+)?\(|environ(?:\.get\(|\[)|environment\()\s*["']([A-Z][A-Z_]+)["']""")
# What other programs put there, or Django itself reads.
NOT_OURS = {"DJANGO_SETTINGS_MODULE", "PATH", "HOME", "TMPDIR"}


def documented() -> set[str]:
    rows = re.findall(r"^\| (`[A-Z].*?) \|", README, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}


def read_by_the_code() -> set[str]:
    return {name for path in CODE for name in READS.findall(path.read_text(encoding="utf-8"))} - NOT_OURS


def test_every_setting_is_documented() -> None:
    assert read_by_the_code() - documented() == set()


def test_every_documented_setting_is_read() -> None:
    everything = "\n".join(path.read_text(encoding="utf-8") for path in CODE)
    assert {name for name in documented() if name.removesuffix("_FILE") not in everything} == set()


def test_every_documented_command_exists() -> None:
    commands = set(re.findall(r"`manage\.py (\w+)", README))
    assert commands >= {"import_albo", "request_pec", "verify_audit"}
    assert commands <= set(get_commands())


def test_every_documented_address_resolves() -> None:
    paths = [p for p in re.findall(r"`(/[\w/<>.-]*)`", README) if "<" not in p]
    assert "/accedi/" in paths
    for path in paths:
        try:
            resolve(path)
        except Resolver404:
            raise AssertionError(f"{path} is in the README and not in the portal") from None


def test_every_target_of_make_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`make (\w+)`", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_file_that_the_readme_names_is_there() -> None:
    for name in re.findall(r"`((?:albo_pec|audit|members|pec_requests|tests)/[\w/.]*)`", README):
        assert (ROOT / name).exists(), name
