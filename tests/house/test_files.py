"""The files that describe how the portal is set up and shipped: they parse, agree, and hold no secret."""

import re
import subprocess
from typing import Any

import pytest
import yaml

from albo_pec.embedded.files import REPOSITORY

SECRETS = {"SECRET_KEY", "POSTGRES_PASSWORD", "VALKEY_PASSWORD", "ARUBA_USERNAME", "ARUBA_PASSWORD"}
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
COMPOSE_TEXT = (REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8")
MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def copied() -> set[str]:
    sources: set[str] = set()
    for words in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        sources.update(words.split())
    return sources


def test_the_image_copies_what_there_is() -> None:
    assert [name for name in sorted(copied()) if not (REPOSITORY / name).exists()] == []
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    folders = {path.partition("/")[0] for path in tracked if "/" in path}
    needed = folders - {".ci", "bench", "data", "docs", "tests"}
    assert needed <= copied()


def test_the_build_context_holds_only_what_is_copied() -> None:
    lines = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert copied() <= {line[1:] for line in rules if line.startswith("!")} <= copied() | {"locale"}


def test_the_image_is_pinned_and_runs_as_nobody_special() -> None:
    installs = re.findall(r"pip install .*", DOCKERFILE)
    assert installs
    assert all("--require-hashes" in line for line in installs)
    stages = DOCKERFILE.split("\nFROM ")
    for stage in stages:
        if " AS portal" in stage or " AS sandbox" in stage:
            assert "\nUSER portal" in stage
    assert "requirements-demo" not in stages[-1]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_is_not_privileged(name: str) -> None:
    service = SERVICES[name]
    assert not {"privileged", "cap_add", "network_mode", "pid"} & set(service)
    if "build" in service:
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]


def test_the_services_of_the_design() -> None:
    assert {"postgres", "valkey", "migrate", "web", "worker", "beat", "sandbox"} <= set(SERVICES)
    assert SERVICES["postgres"]["image"] == "postgres:18"
    assert SERVICES["valkey"]["image"] == "valkey/valkey:9"
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["sandbox"]} == {
        "sandbox",
        "sandbox-database",
    }
    for name in ("postgres", "valkey", "web", "worker", "sandbox"):
        assert SERVICES[name]["healthcheck"]["test"]
    for name in ("web", "worker", "beat"):
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_every_dependency_and_volume_is_there() -> None:
    for service in SERVICES.values():
        assert set(service.get("depends_on", {})) <= set(SERVICES)
        assert {volume.partition(":")[0] for volume in service.get("volumes", [])} <= set(COMPOSE["volumes"])


def test_no_secret_has_a_default() -> None:
    used = set(re.findall(r"\$\{(\w+)", COMPOSE_TEXT))
    assert used >= SECRETS
    for name in SECRETS:
        assert not re.search(rf"\$\{{{name}(?!:\?)", COMPOSE_TEXT)


def test_web_and_the_others_have_the_same_settings() -> None:
    for name in ("migrate", "worker", "beat"):
        assert SERVICES[name]["environment"] == SERVICES["web"]["environment"]


@pytest.mark.parametrize("target", ["demo", "test", "guida", "lint", "audit", "requirements"])
def test_make_knows_the_target(target: str) -> None:
    done = subprocess.run(["make", "--dry-run", target], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_people_type_is_shown() -> None:
    done = subprocess.run(["make"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert "make demo" in done.stdout
    assert "make test" in done.stdout


def test_without_a_usable_python_the_sentence_says_what_to_do(tmp_path: Any) -> None:
    for name in ("Makefile", "requirements-demo.txt"):
        (tmp_path / name).write_bytes((REPOSITORY / name).read_bytes())
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "echo", "id"):
        (programs / name).symlink_to(f"/bin/{name}")
    done = subprocess.run(
        ["/usr/bin/make", "demo"],
        cwd=tmp_path,
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "Serve Python 3.11" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_the_checks_of_a_merge() -> None:
    path = REPOSITORY / ".ci" / "run"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert lines[0] == "set -euo pipefail"
    assert lines[-2:] == ["make lint", "make test"]
    assert path.stat().st_mode & 0o111
