"""The files that describe how the portal is set up and shipped: they parse, agree, and hold no secret."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from albo_pec import new_secrets
from albo_pec.embedded.files import REPOSITORY

INDIVIDUAL = {"PORTAL_URL", "ALLOWED_HOSTS", "ARUBA_BASE_URL", "ARUBA_USERNAME", "EMAIL_HOST", "DEFAULT_FROM_EMAIL"}
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
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert name == "postgres" or "cap_add" not in service


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


def test_what_differs_from_house_to_house_has_no_default() -> None:
    for name in INDIVIDUAL:
        assert re.search(rf"\$\{{{name}:\?", COMPOSE_TEXT) and not re.search(rf"\$\{{{name}\b(?!:\?)", COMPOSE_TEXT)


def test_secrets_are_files_that_the_house_prepares(tmp_path: Path) -> None:
    declared = {name: secret["file"] for name, secret in COMPOSE["secrets"].items()}
    assert declared == {name: f"./secrets/{name}" for name in declared}
    folder = tmp_path / "secrets"
    assert new_secrets.write(folder) == sorted(declared) and new_secrets.write(folder) == []
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}
    assert (folder / "postgres_password").read_text().strip() in (folder / "database_url").read_text()
    (folder / "aruba_password").unlink()
    (folder / "valkey_password").unlink()
    assert new_secrets.write(folder) == ["aruba_password"]  # the others go together: an address holds a password
    for service in SERVICES.values():
        assert set(service.get("secrets", ())) <= set(declared)
        told = {
            path for path in map(str, (service.get("environment") or {}).values()) if path.startswith("/run/secrets/")
        }
        assert {path.removeprefix("/run/secrets/") for path in told} == set(service.get("secrets", ())) or not told
        assert not [name for name in service.get("environment") or {} if name.endswith(("PASSWORD", "SECRET"))]


def test_only_the_migration_is_the_owner_of_the_tables() -> None:
    for name, service in SERVICES.items():
        if service.get("image") == "albo-pec" and name != "migrate":
            assert service["environment"]["DATABASE_URL_FILE"].endswith("/web_database_url")
            assert "database_url" not in service["secrets"] and "postgres_password" not in service["secrets"]
    assert "grant_roles" in SERVICES["migrate"]["command"][-1]


def test_the_servers_are_out_of_the_worlds_reach() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    for name in ("postgres", "valkey", "migrate", "files", "beat", "sandbox-database"):
        assert SERVICES[name]["networks"] == ["inside"] and "ports" not in SERVICES[name]


def test_web_and_the_others_have_the_same_settings() -> None:
    for name in ("worker", "beat"):
        assert SERVICES[name]["environment"] == SERVICES["web"]["environment"]


@pytest.mark.parametrize("target", ["demo", "test", "guida", "secrets", "lint", "audit", "requirements"])
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
        ["/usr/bin/make", "demo", "DISTRIBUTION_PYTHON=python-di-nessuno"],
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
