"""Importing in the office: whose files, and what is refused before anybody reads it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django_scopes import scopes_disabled

from members import import_runs, uploads
from members.import_runs import State
from members.models import ImportRun, Ordine, StaffRole
from tests.factories import OrdineFactory, UserFactory
from tests.members.import_office import ADD, Office, page_of
from tests.members.invented import line

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def everything_in_sight(db: None, tmp_path: Path, settings: Any) -> Iterator[None]:
    settings.UPLOADS = tmp_path / "uploads"
    with scopes_disabled():
        yield


@pytest.fixture
def umbria() -> Ordine:
    ordine: Ordine = OrdineFactory(code="umbria")
    return ordine


def test_whose_it_is(umbria: Ordine) -> None:
    lazio: Ordine = OrdineFactory(code="lazio")
    office, elsewhere = Office(umbria), Office(lazio)
    run = office.bring([line(1)])
    missing = elsewhere.client.get(reverse("admin:members_importrun_change", args=[10**9]), follow=True)
    for response in (
        elsewhere.client.get(page_of(run), follow=True),
        elsewhere.client.post(page_of(run), {"act": "cancel"}, follow=True),
    ):
        text = response.content.decode().replace(str(run.pk), "1000000000")
        assert "non esiste" in text and response.redirect_chain == missing.redirect_chain
    assert run.file_name not in elsewhere.client.get("/admin/members/importrun/").content.decode()
    assert run.file_name in office.client.get("/admin/members/importrun/").content.decode()
    assert elsewhere.client.get(reverse("admin:members_importrun_rejects", args=[run.pk])).status_code == 404
    assert elsewhere.client.get(reverse("admin:members_importrun_progress", args=[run.pk])).status_code == 404
    run.refresh_from_db()
    assert run.state == State.UPLOADED

    # Of two Ordini, and of all of them, one chooses; of no other.
    StaffRole.objects.create(user=office.user, ordine=lazio)
    both = Client()
    both.force_login(office.user)
    assert 'name="ordine"' in both.get(ADD).content.decode()
    office.client = both
    assert office.upload([line(1)]).status_code == 200
    assert office.bring([line(1)], ordine=lazio.pk).ordine == lazio
    other: Ordine = OrdineFactory()
    assert office.upload([line(1)], ordine=other.pk).status_code == 200
    office.client = Client()
    office.client.force_login(UserFactory(is_superuser=True, is_staff=True))
    assert office.bring([line(1)], ordine=other.pk).ordine == other


def test_no_more_than_a_few_files_wait(umbria: Ordine) -> None:
    office = Office(umbria)
    for n in range(import_runs.OPEN_AT_MOST):
        office.bring([line(n)])
    assert "già 5 importazioni aperte" in office.upload([line(9)]).content.decode()
    assert len(list(uploads.folders())) == import_runs.OPEN_AT_MOST


def test_an_upload_that_is_refused_leaves_nothing(umbria: Ordine, monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(umbria)
    assert "Scegliere un file" in office.client.post(ADD, {}).content.decode()
    assert "Il file è vuoto" in office.upload(b"").content.decode()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(office.user)
    assert strict.post(ADD, {"file": SimpleUploadedFile("a.csv", b"x" * 200_000)}).status_code == 403
    # A gigabyte is refused before its first byte is read.
    body = Unread()
    huge = office.client.generic(
        "POST",
        ADD,
        b"",
        content_type="multipart/form-data; boundary=x",
        CONTENT_LENGTH=str(2**30),
        **{"wsgi.input": body},
    )
    assert (huge.status_code, body.asked) == (413, 0) and "al massimo 500 MB" in huge.content.decode()
    # And on the way, where the size was not said.
    monkeypatch.setattr(uploads, "MAX_BYTES", 100_000)
    assert "al massimo" in office.upload(b"x" * 120_000).content.decode()
    member = Client()
    member.force_login(UserFactory())
    assert member.post(ADD, {"file": SimpleUploadedFile("a.csv", b"x")}).status_code == 302
    assert list(uploads.folders()) == [] and not ImportRun.objects.exists()
    # Elsewhere nobody has been asked for a file.
    assert office.client.post("/accedi/", {"file": SimpleUploadedFile("a.csv", b"x")}).status_code < 500


class Unread(io.RawIOBase):
    asked = 0

    def read(self, size: int = -1) -> bytes:
        self.asked += 1
        return b""
