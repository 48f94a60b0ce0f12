"""A refusal of the provider is told to the member who can mend it, once; the others are the staff's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from post_office.models import Email

from members.models import Member
from pec_requests import attention, lifecycle, notices
from pec_requests.mending import Mend, by_member
from pec_requests.models import PecRequest, ProviderOperation
from pec_requests.states import Kind
from tests.pec_requests.conftest import STAFF
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db
Work = Callable[[], int]
# What this portal takes for an ordinary address, and the provider for a PEC.
UNFIT, ALSO_UNFIT = "mario.rossi@mypec.eu", "mario@actaliscertymail.it"


@pytest.fixture
def page(member: Member, client: Client) -> Callable[[], str]:
    assert member.user
    client.force_login(member.user)
    return lambda: client.get("/utente/scheda-anagrafica/richieste-pec/").content.decode().replace("&#x27;", "'")


def subjects() -> list[str]:
    return list(Email.objects.order_by("id").values_list("subject", flat=True))


def retry(pec: PecRequest) -> None:
    assert lifecycle.retry_operations([pec.operations.get(kind=Kind.CREATE).pk], STAFF) == 1


def test_an_email_that_is_not_taken(pec: PecRequest, work: Work, page: Callable[[], str]) -> None:
    PecRequest.objects.update(recovery_email=UNFIT)
    work()
    operation = pec.operations.get()
    assert (operation.state, operation.refused_field) == ("ATTENTION", "recoveryEmail")
    mail = Email.objects.get()
    assert mail.subject == "Per la tua casella PEC serve un'altra email di recupero"
    assert "m•••@mypec.eu" in mail.message and UNFIT not in mail.message and mail.to == [pec.member.personal_email]
    shown = page()
    assert "Serve un'altra email di recupero" in shown and UNFIT in shown
    assert f"/pec/{pec.public_id}/email-recupero/" in shown
    assert attention.sentences(pec)  # the office sees it as well
    # The same again is no news; another address that is not taken is.
    for _time in range(2):
        retry(pec)
        work()
    assert len(subjects()) == 1
    PecRequest.objects.update(recovery_email=ALSO_UNFIT)
    retry(pec)
    work()
    assert len(subjects()) == 2
    # What the member gives is asked for by itself.
    pec.refresh_from_db()
    lifecycle.set_recovery_email(pec, "mario@example.com", STAFF)
    assert "sta preparando" in page()
    work()
    assert subjects()[2:] == ["La tua casella PEC è pronta: accettala per attivarla"]
    assert pec.operations.get().refused_field == ""


def test_a_name_at_odds_with_the_codice_fiscale(pec: PecRequest, work: Work, page: Callable[[], str]) -> None:
    Member.objects.update(surname="Bianchi")
    for _time in range(2):
        work()
        retry(pec)
    work()
    mail = Email.objects.get()
    assert mail.subject == "Per la tua casella PEC controlla i tuoi dati anagrafici"
    assert "/utente/scheda-anagrafica/" in mail.message and pec.member.tax_code not in mail.message
    assert "Reply-To" in mail.headers and "Controlla i tuoi dati anagrafici" in page()
    Member.objects.update(surname="Rossi")
    retry(pec)
    work()
    assert len(subjects()) == 2


def test_what_only_staff_can_mend_is_not_told(
    pec: PecRequest, work: Work, aruba: SandboxProcess, page: Callable[[], str]
) -> None:
    aruba.fault("create", "status", 400, times=1)
    work()
    assert pec.operations.get().state == ProviderOperation.State.ATTENTION
    assert not subjects() and "L'Ordine sta verificando" in page()
    assert by_member(Kind.CREATE, "recoveryEmail") is Mend.EMAIL
    for kind, field in ((Kind.RESET, "taxCode"), (Kind.CREATE, "zipCode"), (Kind.CREATE, "name"), (Kind.CREATE, "")):
        assert by_member(kind, field) is None


def test_what_is_mended_before_the_mail_is_written_is_not_told(pec: PecRequest) -> None:
    operation = pec.operations.get()
    PecRequest.objects.update(recovery_email=UNFIT)
    notices.refused(operation, "recoveryEmail")
    assert notices.write() == 1 and not subjects()
