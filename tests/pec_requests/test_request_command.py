"""``manage.py request_pec``, as it is typed."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from members.models import Member
from pec_requests.models import PecDomain, PecRequest
from tests.factories import MemberFactory

pytestmark = pytest.mark.django_db


def run(member: Member, *arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    command = ["request_pec", "--ordine", member.ordine.code, "--domain", "tsrm.org", *arguments]
    call_command(*command, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_all_without_pec(member: Member, domain: PecDomain) -> None:
    """Those of the Ordine who have none; who cannot is told, and why."""
    MemberFactory(ordine=member.ordine)
    MemberFactory(ordine=member.ordine, surname="Verdi")
    MemberFactory()
    out, err = run(member, "--all-without-pec")
    assert out == "mario.rossi@tsrm.org\tRossi Mario\nmario.rossi2@tsrm.org\tRossi Mario\n"
    assert err.startswith("Verdi Mario: Il codice fiscale non corrisponde")
    assert err.endswith("Richieste: 2. Non possibili: 1.\n")


def test_a_code_of_another_ordine_stops_everything(member: Member, domain: PecDomain) -> None:
    with pytest.raises(CommandError, match="Nessun iscritto"):
        run(member, "--cf", member.tax_code, MemberFactory().tax_code)
    assert not PecRequest.objects.exists()
    assert run(member, "--cf", member.tax_code.lower())[0] == "mario.rossi@tsrm.org\tRossi Mario\n"
