"""The office's lists with PEC: what they find, and what they read for it, by EXPLAIN."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from django.db import connection
from django.db.models import Exists, F, OuterRef, Prefetch
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from members import lists
from members.models import Albo, Enrolment, Member, Term
from pec_requests import attention, eligibility, lifecycle
from pec_requests.models import PecDomain, PecRequest, ProviderOperation, RecoveryEmailChange
from pec_requests.states import LIVE, Status
from tests.factories import MemberFactory, OrdineFactory, UserFactory, staff
from tests.pec_requests.conftest import STAFF
from tests.pec_requests.test_claim_plan import steps
from tests.pec_requests.test_lifecycle import ready

pytestmark = pytest.mark.django_db
MEMBERS, REQUESTS = "/admin/members/member/", "/admin/pec_requests/pecrequest/"


@pytest.fixture
def office(member: Member, client: Client) -> Client:
    client.force_login(staff(member.ordine))
    return client


def found(client: Client, url: str, **query: str) -> list[str]:
    return [str(row) for row in client.get(url, query).context["cl"].result_list]


def lacks_pec(member: Member) -> bool:
    return Term.objects.filter(member_id=member.pk, term="=pec SENZA").exists()


def in_step() -> None:
    """What the triggers have written is what the rules say."""
    without = {(m.ordine_id, m.search_key, m.pk) for m in eligibility.without_pec()}
    terms = Term.objects.filter(term="=pec SENZA")
    assert set(terms.values_list("ordine_id", "sort", "member_id")) == without
    assert not ProviderOperation.objects.exclude(ordine=F("request__ordine")).exists()
    unsettled = ProviderOperation.objects.filter(state__in=ProviderOperation.UNSETTLED)
    requests = PecRequest.objects.select_related("member").prefetch_related(
        Prefetch("operations", queryset=unsettled, to_attr="unsettled")
    )
    for pec in requests.annotate(
        member_enrolled=Exists(attention.current_enrolments(OuterRef("member"))),
        alarmed=Exists(attention.open_alarms(OuterRef("pk"))),
    ):
        assert (pec.ordine_id, pec.sort) == (pec.member.ordine_id, pec.member.search_key)
        assert pec.needs_staff == bool(attention.sentences(pec)), (pec.status, pec.recovery_email)


def test_the_database_says_of_everybody_what_the_rules_say(member: Member, domain: PecDomain) -> None:
    """Every kind of member with every kind of request, as inserted and after every kind of change."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE pec_requests_pecrequest DISABLE TRIGGER USER")
        cursor.execute("ALTER TABLE pec_requests_pecrequest ENABLE TRIGGER pec_requests_list_row")
        cursor.execute("ALTER TABLE pec_requests_pecrequest ENABLE TRIGGER pec_requests_list_insert")
        cursor.execute("ALTER TABLE pec_requests_pecrequest ENABLE TRIGGER pec_requests_list_update")
    enrolled = [(), ("ISCRITTO",), ("SOSPESO",), ("CANCELLATO",), ("CANCELLATO", "SOSPESO")]
    asked = [None, *product(Status.values, ("", "x@example.it"), (None, "ATTENTION", "WAITING", "DONE"))]
    kinds = list(product(enrolled, ("", "x@pec.example.it"), asked))
    people = Member.objects.bulk_create(
        Member(ordine=member.ordine, tax_code=f"{n:016}", search_key=f" a  {n}", own_pec=own)
        for n, (_statuses, own, _request) in enumerate(kinds)
    )
    albi = [Albo.objects.get_or_create(name=name)[0] for name in ("Logopedista", "Podologo")]
    enrolments = [
        Enrolment(member=person, albo=albo, number="1", status=status)
        for person, (statuses, _own, _request) in zip(people, kinds, strict=True)
        for albo, status in zip(albi, statuses, strict=False)
    ]
    requests, asked_there = [], []
    for person, (_statuses, _own, request) in zip(people, kinds, strict=True):
        if request:
            status, email, state = request
            pec = PecRequest(member=person, domain=domain, address=str(person.pk), status=status, recovery_email=email)
            requests.append(pec)
            if state:
                ended = None if state == "WAITING" else Now()
                asked_there.append(ProviderOperation(request=pec, kind="CREATE", state=state, finished_at=ended))
    Enrolment.objects.bulk_create(enrolments)
    in_step()
    PecRequest.objects.bulk_create(requests)
    ProviderOperation.objects.bulk_create(asked_there)
    in_step()
    other = OrdineFactory()
    changes: list[Callable[[], object]] = [
        lambda: Enrolment.objects.filter(pk__in=[e.pk for e in enrolments[::2]]).update(status="CANCELLATO"),
        lambda: Enrolment.objects.filter(pk__in=[e.pk for e in enrolments]).update(status="SOSPESO"),
        lambda: Enrolment.objects.filter(pk__in=[e.pk for e in enrolments]).delete(),
        lambda: Enrolment.objects.bulk_create(enrolments),
        lambda: Member.objects.filter(pk__in=[m.pk for m in people[::3]]).update(own_pec="x"),
        lambda: Member.objects.filter(pk__in=[m.pk for m in people]).update(own_pec="", search_key=" b  c"),
        lambda: Member.objects.filter(pk__in=[m.pk for m in people[::2]]).update(ordine=other),
        lambda: PecRequest.objects.update(recovery_email="x@example.it"),
        lambda: ProviderOperation.objects.exclude(state="WAITING").update(state="DONE"),
        lambda: ProviderOperation.objects.update(state="ATTENTION", finished_at=Now()),
        lambda: PecRequest.objects.filter(status__in=LIVE[::2]).update(status="CESSATO"),
        lambda: PecRequest.objects.filter(status__in=LIVE).update(status="ANNULLATO"),
        lambda: ProviderOperation.objects.update(state="DONE"),
        lambda: RecoveryEmailChange.objects.bulk_create(
            RecoveryEmailChange(
                request=pec,
                asked_by=member.user,
                digest=pec.pk,
                expires_at=Now(),
                alarm_at=Now() if pec.pk % 2 else None,
            )
            for pec in requests
        ),
        lambda: RecoveryEmailChange.objects.update(alarm_at=Now()),
        lambda: RecoveryEmailChange.objects.filter(request__in=requests[::2]).update(verdict="MEMBER"),
    ]
    for change in changes:
        change()
        in_step()


def test_a_request_and_its_end_are_seen_at_once(member: Member, domain: PecDomain) -> None:
    assert lacks_pec(member)
    pec = lifecycle.request_pec([member.pk], domain, STAFF).created[0]
    assert not lacks_pec(member)
    lifecycle.decide([ready(pec).pk], "cancel", STAFF, reason="x")
    assert lacks_pec(member)


def test_members_are_found_by_pec_and_address(office: Client, member: Member, domain: PecDomain) -> None:
    other = MemberFactory(ordine=member.ordine, surname="Bianchi", tax_code_mismatch=False)
    Member.objects.filter(pk=other.pk).update(tax_code_mismatch=False)
    assert found(office, MEMBERS, pec="senza") == ["Bianchi Mario", "Rossi Mario"]
    ready(lifecycle.request_pec([member.pk], domain, STAFF).created[0])
    assert found(office, MEMBERS, pec="senza") == ["Bianchi Mario"]
    assert found(office, MEMBERS, pec="con") == found(office, MEMBERS, pec="NON_ATTIVO") == ["Rossi Mario"]
    assert found(office, MEMBERS, pec="ATTIVO") == []
    for words in ("mario.rossi@tsrm.org", "Mario.ros", "mario.rossi mario"):
        assert found(office, MEMBERS, q=words) == ["Rossi Mario"]
    assert found(office, MEMBERS, q="mario.rossi@altro") == found(office, MEMBERS, q="è.x") == []


def test_members_with_a_pec_come_in_the_order_of_names(office: Client, member: Member, domain: PecDomain) -> None:
    people = [MemberFactory(ordine=member.ordine) for _n in range(3)]
    requests = lifecycle.request_pec([person.pk for person in people], domain, STAFF).created
    for pec in requests[1:]:
        ready(pec)
    for person, surname in zip(people, ("Beta", "Alfa", "Gamma"), strict=True):
        person.surname = surname
        person.save()
    assert found(office, MEMBERS, pec="con") == ["Alfa Mario", "Beta Mario", "Gamma Mario"]


def test_somebody_with_two_addresses_is_found_once(office: Client, member: Member, domain: PecDomain) -> None:
    first = lifecycle.request_pec([member.pk], domain, STAFF).created[0]
    lifecycle.decide([first.pk], "cancel", STAFF, reason="x")
    other = PecDomain.objects.get(name="tsrm-pstrp.org")
    lifecycle.request_pec([member.pk], other, STAFF)
    assert found(office, MEMBERS, q="mario.rossi@") == ["Rossi Mario"]
    assert sorted(found(office, REQUESTS, q="mario.rossi@")) == sorted(found(office, REQUESTS, q="rossi"))
    assert len(found(office, REQUESTS, q="rossi")) == 2


def test_requests_are_found_by_member_and_state(office: Client, pec: PecRequest, domain: PecDomain) -> None:
    for words in ("ross", "mario", "RSSMRA", pec.address, str(pec.member.enrolments.get().number), "ross mar"):
        assert found(office, REQUESTS, q=words) == [pec.address], words
    assert found(office, REQUESTS, q="verdi") == []
    assert found(office, REQUESTS, stato="RICHIESTA", dominio=domain.name, q="ross") == [pec.address]
    assert found(office, REQUESTS, stato="ATTIVO") == found(office, REQUESTS, dominio="tsrm-pstrp.org") == []
    stranger = lifecycle.request_pec([MemberFactory().pk], domain, STAFF).created[0]
    for query in ({}, {"q": "rossi"}, {"q": "mario.rossi"}, {"stato": "RICHIESTA"}, {"dominio": domain.name}):
        assert stranger.address not in found(office, REQUESTS, **query)


def test_who_has_no_request_takes_no_place_on_a_page_of_requests(
    office: Client, pec: PecRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists.ListAdmin, "list_per_page", 2)
    for _n in range(4):
        MemberFactory(ordine=pec.member.ordine, surname="Abate")
    person = MemberFactory(ordine=pec.member.ordine)
    other = lifecycle.request_pec([person.pk], pec.domain, STAFF).created[0]
    Member.objects.filter(pk=person.pk).update(search_key=" zeta  mario")
    assert found(office, REQUESTS, q="mario") == [pec.address, other.address]
    assert set(found(office, REQUESTS, q="mario", stato="RICHIESTA")) == {pec.address, other.address}


def test_what_waits_for_staff_follows_operations_and_enrolments(office: Client, pec: PecRequest) -> None:
    assert found(office, REQUESTS, attenzione="si") == []
    pec.operations.update(state="ATTENTION", finished_at=Now())
    assert found(office, REQUESTS, attenzione="si") == [pec.address]
    pec.operations.update(state="DONE")
    assert found(office, REQUESTS, attenzione="si") == []
    pec.member.enrolments.update(status="CANCELLATO")
    assert found(office, REQUESTS, attenzione="si") == [pec.address]
    pec.member.enrolments.update(status="ISCRITTO")
    assert found(office, REQUESTS, attenzione="si") == []
    PecRequest.objects.update(recovery_email="")
    assert found(office, REQUESTS, attenzione="si") == [pec.address]


def test_choosing_the_whole_list_names_it_once(office: Client, member: Member, domain: PecDomain) -> None:
    other = MemberFactory(ordine=member.ordine)
    MemberFactory(ordine=member.ordine, province="MC")
    Member.objects.filter(pk__in=[member.pk, other.pk]).update(province="ZZ")
    member.ordine.provinces = ["ZZ"]
    member.ordine.save()
    url = f"{MEMBERS}?provincia=ZZ"
    chosen = {"action": "request_for_selected", "select_across": "1", "_selected_action": [member.pk], "index": "0"}
    page = office.post(url, chosen).content.decode()
    assert 'name="lista"' in page and 'name="ids"' not in page
    form = reverse("admin:members_member_request_pec")
    office.post(form, {"lista": "provincia=ZZ", "domain": domain.pk})
    assert {r.member_id for r in PecRequest.objects.all()} == {member.pk, other.pk}
    assert office.post(form, {"lista": "surname=x", "domain": domain.pk}).status_code == 400


def test_choosing_all_operations_names_none_of_them(office: Client, member: Member, domain: PecDomain) -> None:
    people = [member, *(MemberFactory(ordine=member.ordine) for _n in range(2))]
    lifecycle.request_pec([person.pk for person in people], domain, STAFF)
    ProviderOperation.objects.update(state="ATTENTION", finished_at=Now())
    url = reverse("admin:pec_requests_provideroperation_changelist")
    one = ProviderOperation.objects.order_by("pk").values_list("pk", flat=True)[0]
    data = {"action": "retry_selected", "_selected_action": [one], "select_across": "1"}
    page = office.post(url, data).content.decode()
    assert page.count('name="_selected_action"') == 1
    assert 'name="select_across" value="1"' in page
    office.post(url, {**data, "confirmed": "1"})
    assert set(ProviderOperation.objects.values_list("state", flat=True)) == {"WAITING"}


# What is read, whatever the number of people.

_PEOPLE = """
INSERT INTO members_member (ordine_id, tax_code, tax_code_mismatch, surname, name, search_key, sex, birth_place,
       birth_province, file_number, personal_email, email_problem, mobile, own_pec, address, postcode, town, province)
SELECT %s, 'CFX' || lpad((%s + n)::text, 13, '0'), n %% 20 = 0, 'x', 'x',
       CASE n %% 2 WHEN 0 THEN ' rossi' ELSE ' bianchi' END || chr(97 + n %% 26) || '  maria ' || chr(97 + n %% 26),
       'F', '', '', '', '', CASE n %% 20 WHEN 1 THEN 'email_missing' ELSE '' END, '', '', '', '', '',
       CASE n %% 10 WHEN 0 THEN 'ZZ' ELSE 'AN' END
  FROM generate_series(1, %s) AS n
"""
_ENROLMENTS = """
INSERT INTO members_enrolment (member_id, albo_id, number, status)
SELECT id, %s, (substr(tax_code, 4)::int / 18)::text, CASE id %% 20 WHEN 0 THEN 'SOSPESO' ELSE 'ISCRITTO' END
  FROM members_member m
 WHERE NOT EXISTS (SELECT FROM members_enrolment e WHERE e.member_id = m.id)
"""
_REQUESTS = """
INSERT INTO pec_requests_pecrequest (public_id, member_id, domain_id, address, recovery_email, status, reason)
SELECT gen_random_uuid(), id, %s, 'nome' || id || '.cognome@tsrm.org',
       CASE id %% 20 WHEN 0 THEN '' ELSE 'x' END, 'RICHIESTA', ''
  FROM members_member m
 WHERE id %% 10 < 9 AND NOT EXISTS (SELECT FROM pec_requests_pecrequest r WHERE r.member_id = m.id)
"""


def fill(member: Member, number: int, after: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_PEOPLE, [member.ordine_id, after, number])
        cursor.execute(_ENROLMENTS, [member.enrolments.get().albo_id])
        cursor.execute(_REQUESTS, [PecDomain.objects.get(name="tsrm.org").pk])
        cursor.execute("ANALYZE")
        # Else a table of so few pages is read as a whole as soon as fifty of its rows are wanted.
        cursor.execute("SET LOCAL random_page_cost = 1")


def looks(member: Member) -> Iterator[str]:
    albo = member.enrolments.get().albo_id
    address = PecRequest.objects.earliest("pk").address
    for query in (
        "", "p=ultima", "q=ross", "q=mar", "q=m", "q=ross&p=ultima", "q=CFX0000", "q=77", f"albo={albo}",
        "stato=SOSPESO", "stato=ISCRITTO&p=ultima", "provincia=ZZ", "pec=RICHIESTA", "pec=con", "pec=senza",
        "avviso=cf_mismatch", "avviso=email_missing", "stato=SOSPESO&provincia=ZZ", f"albo={albo}&stato=SOSPESO",
    ):  # fmt: skip
        yield f"{MEMBERS}?{query}"
    for query in (
        "",
        "p=ultima",
        "stato=RICHIESTA",
        "dominio=tsrm.org",
        "attenzione=si",
        "q=ross",
        "q=mar",
        f"q={address}",
    ):
        yield f"{REQUESTS}?{query}"


# Whole tables, small by nature.
_SMALL = {"members_ordine", "members_albo", "pec_requests_pecdomain"}
_LONG = {"members_member", "members_term", "members_enrolment", "pec_requests_pecrequest"}
_PAGE = 50
_COUNTED = 200


def read(client: Client, url: str, tables: set[str]) -> tuple[int, int]:
    """How many queries, and how many rows PostgreSQL reads for them; none of these tables as a whole."""
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(url)
    assert answer.status_code == 200 and len(answer.context["cl"].result_list) > 0, url
    rows = 0
    with connection.cursor() as cursor:
        for query in asked.captured_queries:
            sql = query["sql"]
            if not sql.startswith("SELECT") or not ("members_" in sql or "pec_requests_" in sql):
                continue
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
            for step in steps(cursor.fetchone()[0][0]["Plan"]):
                rows += scanned(step)
                assert step["Node Type"] != "Seq Scan" or step["Relation Name"] not in tables, (url, step)
    return len(asked), rows


def scanned(step: dict[str, Any]) -> int:
    if "Scan" not in step["Node Type"] or step.get("Relation Name") in _SMALL:
        return 0
    dropped = step.get("Rows Removed by Filter", 0) + step.get("Rows Removed by Index Recheck", 0)
    return int((step["Actual Rows"] + dropped) * step["Actual Loops"])


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_page_reads_as_much_of_a_long_list_as_of_a_longer_one(
    client: Client, member: Member, domain: PecDomain, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("members.lists", "members.keyset"):
        monkeypatch.setattr(f"{module}.COUNTED", _COUNTED)
    users = [staff(member.ordine), UserFactory(is_superuser=True)]
    OrdineFactory()  # with nobody in it: not to be looked for among the others' rows
    taken: list[dict[tuple[int, str], tuple[int, int]]] = []
    # Where there are few pages, to read them all is not wrong.
    for number, after, tables in ((4200, 0, set()), (8400, 4200, _LONG)):
        fill(member, number, after)
        taken.append({})
        for user in users:
            client.force_login(user)
            urls = list(looks(member))[:: 3 if user.is_superuser else 1]
            taken[-1] |= {(user.pk, url): read(client, url, tables) for url in urls}
    for look, (queries, rows) in taken[0].items():
        more_queries, more_rows = taken[1][look]
        assert queries == more_queries, look
        # Some rows by chance; never in proportion.
        assert more_rows <= rows * 1.25 + _PAGE, (look, rows, more_rows)
        assert more_rows < 30 * (_PAGE + _COUNTED), (look, more_rows)
