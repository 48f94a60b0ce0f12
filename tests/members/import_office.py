"""Somebody of the staff who imports, at a browser, and the worker at hand."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from audit.models import LogEntry
from members import import_working
from members.models import ImportRun, Ordine, StaffRole
from tests.factories import staff
from tests.members.invented import as_csv

ADD = "/admin/members/importrun/add/"


class Office:
    """Somebody of the staff at a browser."""

    def __init__(self, ordine: Ordine, role: str = StaffRole.Role.OPERATORE) -> None:
        self.client = Client()
        self.user = staff(ordine, role)
        self.client.force_login(self.user)

    def bring(self, content: bytes | list[dict[str, str]], name: str = "albo.csv", **fields: Any) -> ImportRun:
        response = self.upload(content, name, **fields)
        assert response.status_code == 302, response.content.decode()
        pk = re.search(r"/(\d+)/change/", response["Location"])
        assert pk
        return ImportRun.objects.get(pk=pk[1])

    def upload(self, content: bytes | list[dict[str, str]], name: str = "albo.csv", **fields: Any) -> Any:
        body = content if isinstance(content, bytes) else as_csv(content).getvalue()
        return self.client.post(ADD, {"file": SimpleUploadedFile(name, body), **fields})

    def read(self, content: bytes | list[dict[str, str]], name: str = "albo.csv") -> ImportRun:
        """Bring a file and let the worker read it."""
        run = self.bring(content, name)
        import_working.carry_out()
        run.refresh_from_db()
        return run

    def act(self, run: ImportRun, act: str, **fields: str) -> str:
        response = self.client.post(page_of(run), {"act": act, **fields}, follow=True)
        assert response.status_code == 200
        run.refresh_from_db()
        return str(response.content.decode())

    def page(self, run: ImportRun, query: str = "") -> str:
        response = self.client.get(page_of(run) + query)
        assert response.status_code == 200
        return re.sub(r"\s+", " ", response.content.decode())


def page_of(run: ImportRun) -> str:
    return reverse("admin:members_importrun_change", args=[run.pk])


def said(run: ImportRun) -> list[str]:
    return list(
        LogEntry.objects.filter(object_id=run.pk, object_type="members.importrun").values_list("action", flat=True)
    )


def left(run: ImportRun) -> set[str]:
    folder = settings.UPLOADS / run.folder
    return {entry.name for entry in folder.iterdir()} if folder.exists() else set()
