"""What ``check --deploy`` refuses in production."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from albo_pec.checks import check_deployment, check_gateways, check_lease


@pytest.fixture(autouse=True)
def production(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CELERY_TASK_ALWAYS_EAGER = False
    settings.SECRET_KEY = "k" * 64
    settings.MFA_REQUIRED = True
    settings.PORTAL_URL = "https://albo.example"
    settings.ALLOWED_HOSTS = ["albo.example"]
    settings.SECURITY_CONTACT = "sicurezza@albo.example"
    settings.ARUBA_BASE_URL = "https://gestore.example"
    monkeypatch.delenv("SANDBOX_CONTROLS", raising=False)


def ids() -> list[str | None]:
    return [error.id for error in check_deployment(None)]


def test_a_sound_installation_passes() -> None:
    assert ids() == []


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("CELERY_TASK_ALWAYS_EAGER", True, "E001"),
        ("SECRET_KEY", "short", "E002"),
        ("MFA_REQUIRED", False, "E004"),
        ("PORTAL_URL", "http://albo.example", "E005"),
        ("ALLOWED_HOSTS", ["*"], "E006"),
        ("SECURITY_CONTACT", "", "E020"),
        ("ARUBA_BASE_URL", "http://gestore.example", "E021"),
    ],
)
def test_each_setting_of_a_development_machine_is_refused(settings: Any, name: str, value: object, code: str) -> None:
    setattr(settings, name, value)
    assert ids() == [f"albo_pec.{code}"]


def test_the_key_of_the_source_is_refused(settings: Any) -> None:
    settings.SECRET_KEY = settings.INSECURE_SECRET_KEY
    assert ids() == ["albo_pec.E002"]


def test_what_staff_bring_is_in_no_folder_that_is_served(settings: Any, tmp_path: Path) -> None:
    settings.STATIC_ROOT, settings.UPLOADS = str(tmp_path / "static"), tmp_path / "static" / ".." / "uploads"
    assert ids() == []
    settings.UPLOADS = tmp_path / "static" / "uploads"
    assert ids() == ["albo_pec.E023"]


@pytest.mark.parametrize(("value", "refused"), [("1", True), ("true", True), ("", False), ("0", False)])
def test_the_sandboxs_controls_are_refused(monkeypatch: pytest.MonkeyPatch, value: str, refused: bool) -> None:
    monkeypatch.setenv("SANDBOX_CONTROLS", value)
    assert ids() == (["albo_pec.E003"] if refused else [])


@pytest.mark.parametrize(("lease", "errors"), [(30.0, ["albo_pec.E007"]), (30.1, [])])
def test_a_lease_outlives_the_call_under_it(settings: Any, lease: float, errors: list[str]) -> None:
    settings.PROVIDER_OPERATION_SECONDS, settings.OPERATION_LEASE_SECONDS = 30.0, lease
    assert [error.id for error in check_lease(None)] == errors


@pytest.mark.parametrize(
    ("issuer", "secret", "half", "in_production"),
    [
        ("", "", [], []),
        ("https://gateway.example", "s", [], []),
        ("https://gateway.example", "", ["albo_pec.E010"], []),
        ("", "s", ["albo_pec.E010"], []),
        ("http://gateway.example", "s", [], ["albo_pec.E011"]),
    ],
)
def test_a_gateway_is_described_whole_and_is_https(
    settings: Any, issuer: str, secret: str, half: list[str], in_production: list[str]
) -> None:
    spid = {"name": "SPID", "issuer": issuer, "client_id": issuer and "albo", "client_secret": secret, "params": ""}
    settings.IDENTITY_GATEWAYS = {"spid": spid}
    assert [error.id for error in check_gateways(None)] == half
    assert ids() == in_production
