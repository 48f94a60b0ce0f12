"""Secrets from files, and a portal in production as Django itself checks it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from albo_pec import secret_files
from albo_pec.embedded.files import REPOSITORY
from albo_pec.secret_files import SECRETS, SecretFileError
from tests.house.holders import clean_environment

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
COMPOSE = (REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8")
SETTINGS = (REPOSITORY / "albo_pec" / "settings.py").read_text(encoding="utf-8")
ASK = """
import json
from django.conf import settings as s
names = "SECRET_KEY SECRET_KEY_FALLBACKS ARUBA_PASSWORD EMAIL_HOST_PASSWORD REDIS_URL".split()
cookies = "SESSION CSRF LANGUAGE MESSAGE".split()
print(json.dumps({
    **{name: getattr(s, name) for name in names},
    "host": s.DATABASES["default"]["HOST"],
    "cookies": [getattr(s, f"{name}_COOKIE_NAME") for name in cookies],
    "policy": sorted(s.CONTENT_SECURITY_POLICY["DIRECTIVES"]),
}))
"""


def test_a_file_is_read_without_its_line_end_and_only_where_it_is_the_only_source(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes("segreto à\r\n".encode())
    given = {"ARUBA_PASSWORD_FILE": str(path), "PORT_FILE": "/nowhere"}
    assert secret_files.environment(given) == {**given, "ARUBA_PASSWORD": "segreto à"}
    with pytest.raises(SecretFileError, match="sia ARUBA_PASSWORD sia"):
        secret_files.environment({**given, "ARUBA_PASSWORD": "x"})
    for content in (None, b"\xff"):
        path.unlink() if content is None else path.write_bytes(content)
        with pytest.raises(SecretFileError, match="non si può leggere"):
            secret_files.environment(given)


def test_every_secret_has_its_file_in_the_readme_and_in_compose() -> None:
    names = re.findall(r'env(?:\.\w+)?\(\s*"([A-Z_]+)"', SETTINGS)
    asked = {name for name in names if re.search(r"(SECRET|PASSWORD|KEY|KEY_FALLBACKS|DATABASE_URL|REDIS_URL)$", name)}
    assert asked == set(SECRETS)
    assert {name for name in SECRETS if f"`{name}_FILE`" not in README} == set()
    assert {name for name in SECRETS if f"{name}_FILE:" not in COMPOSE} == set()


def test_production_with_its_secrets_in_files_passes_every_check(tmp_path: Path) -> None:
    values = {
        name: f"postgres://web:{name}@postgres/albo" if name.endswith("DATABASE_URL") else name * 5 for name in SECRETS
    }
    values |= {"REDIS_URL": "redis://:x@valkey:6379/0", "SECRET_KEY": "k1-" + "0123456789abcdef" * 4}
    files = {}
    for name, value in values.items():
        (tmp_path / name).write_text(f"{value}\n", encoding="utf-8")
        files[f"{name}_FILE"] = str(tmp_path / name)
    production = {
        "PORTAL_URL": "https://albo.example",
        "ALLOWED_HOSTS": "albo.example",
        "SECURITY_CONTACT": "sicurezza@albo.example",
        "ARUBA_BASE_URL": "https://api.gestore.example",
        **{f"{key}_OIDC_{name}": "https://id.example" for key in ("SPID", "CIE") for name in ("ISSUER", "CLIENT_ID")},
    }
    environment = {
        name: value
        for name, value in clean_environment(tmp_path, **production, **files).items()
        if name not in ("DEBUG", *SECRETS)
    }
    manage = [sys.executable, "manage.py"]
    checked = subprocess.run(
        [*manage, "check", "--deploy", "--fail-level", "WARNING"],
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    script = f"import django, os; os.environ['DJANGO_SETTINGS_MODULE'] = 'albo_pec.settings'; django.setup()\n{ASK}"
    asked = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    found = json.loads(asked.stdout)
    assert found["SECRET_KEY"] == values["SECRET_KEY"] and found["host"] == "postgres"
    assert found["SECRET_KEY_FALLBACKS"] == [values["SECRET_KEY_FALLBACKS"]]
    assert all(name.startswith("__Host-") for name in found["cookies"])
    assert "upgrade-insecure-requests" in found["policy"]
