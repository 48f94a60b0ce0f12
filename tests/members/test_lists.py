"""The members' list: what a search finds, how pages follow one another, and what the database keeps for both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django_scopes import scopes_disabled

from members import albi, lists
from members.models import Albo, Enrolment, Member, Ordine, Term
from members.names import search_key
from tests.factories import MemberFactory, OrdineFactory, UserFactory, staff, tax_code

pytestmark = pytest.mark.django_db
URL = "/admin/members/member/"


@pytest.fixture
def ordine(db: None) -> Ordine:
    """Transactional tests empty the list of albi."""
    albi.install()
    return OrdineFactory(provinces=["AN", "MC"])


@pytest.fixture
def office(ordine: Ordine, client: Client) -> Client:
    client.force_login(staff(ordine))
    return client


@pytest.fixture
def person(ordine: Ordine) -> Callable[..., Member]:
    """A member of the office's Ordine."""

    def make(surname: str, name: str = "Mario", **fields: Any) -> Member:
        with scopes_disabled():
            return MemberFactory(ordine=fields.pop("ordine", ordine), surname=surname, name=name, **fields)

    return make


def names(client: Client, **query: str) -> list[str]:
    """Who is on the page, in order."""
    return [str(member) for member in client.get(URL, query).context["cl"].result_list]


def walk(client: Client, link: str, query: str = "") -> list[list[int]]:
    """The pages from one end to the other: the primary keys on each."""
    pages, url = [], query or "?"
    while url:
        cl = client.get(URL + url).context["cl"]
        pages.append([member.pk for member in cl.result_list])
        url = getattr(cl, link)
        assert len(pages) < 50
    return pages


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("fo", ["Fò Zoe"]),
        ("DANGELO", ["D'Angelo Anna"]),
        ("d'ang", ["D'Angelo Anna"]),
        ("muller", ["Müller Ugo"]),
        ("MÜLL", ["Müller Ugo"]),
        ("pozzo", ["Dal Pozzo Sforza Lia"]),
        ("sfor dal", ["Dal Pozzo Sforza Lia"]),
        ("lia pozzo", ["Dal Pozzo Sforza Lia"]),
        ("ozzo", []),
        ("anna ugo", []),
        ("Rossi-Verdi", ["Rossi Verdi Ada"]),
        ("ross", ["Rossi Verdi Ada", "Bianchi Rosso"]),
        ("ad ross", ["Rossi Verdi Ada"]),
        ("rosso bia", ["Bianchi Rosso"]),
        ("sforza pozz", ["Dal Pozzo Sforza Lia"]),
        ("li pozzo sf", ["Dal Pozzo Sforza Lia"]),
        ("ros rossi", ["Rossi Verdi Ada"]),
        ("ver ada ver", ["Rossi Verdi Ada"]),
        ("pozzo ada", []),
        ("niccolo", ["Neri Niccolò"]),
    ],
)
def test_words_are_found_by_their_beginning(
    office: Client, person: Callable[..., Member], query: str, found: list[str]
) -> None:
    for surname, name in [
        ("Fò", "Zoe"), ("D'Angelo", "Anna"), ("Müller", "Ugo"), ("Dal Pozzo Sforza", "Lia"), ("Rossi Verdi", "Ada"),
        ("Bianchi", "Rosso"), ("Neri", "Niccolò"),
    ]:  # fmt: skip
        person(surname, name)
    # The factory's codici fiscali all begin with RSSMRA.
    assert names(office, q=query) == found


def test_a_word_that_two_of_a_persons_names_begin_with_finds_the_person_once(
    office: Client, person: Callable[..., Member]
) -> None:
    person("Neri", "Maria Marta Mara")
    person("Mari", "Maria")
    assert names(office, q="mar") == ["Mari Maria", "Neri Maria Marta Mara"]


def test_people_are_found_by_codice_fiscale_and_number(office: Client, person: Callable[..., Member]) -> None:
    one, other = person("Neri", tax_code=tax_code(11)), person("Verdi", tax_code=tax_code(222))
    with scopes_disabled():
        one.enrolments.update(number="4711")
        other.enrolments.update(number="47110")
    assert names(office, q="rssmra80a01a011") == ["Neri Mario"]
    assert names(office, q="RSSMRA80A01") == ["Neri Mario", "Verdi Mario"]
    assert names(office, q="rssm") == ["Neri Mario", "Verdi Mario"]
    assert names(office, q="4711") == ["Neri Mario"]
    assert names(office, q="4711 ver") == []


def test_surnames_are_sorted_apart_from_names_and_without_accents(
    office: Client, person: Callable[..., Member]
) -> None:
    for surname, name in [
        ("Rossi Bianchi", "Ada"),
        ("Rossi", "Zoe"),
        ("Ülm", "Ada"),
        ("Udine", "Ada"),
        ("rossi", "Bea"),
    ]:
        person(surname, name)
    assert names(office) == ["rossi Bea", "Rossi Zoe", "Rossi Bianchi Ada", "Udine Ada", "Ülm Ada"]


@pytest.mark.parametrize("query", ["", "?q=ros", "?q=mario", "?q=rss", "?stato=ISCRITTO", "?q=ros+mar&provincia=AN"])
def test_pages_follow_one_another_through_people_of_one_name(
    office: Client, person: Callable[..., Member], monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    monkeypatch.setattr(lists.ListAdmin, "list_per_page", 3)
    people = [person("Rossi", "Mario") for _n in range(8)] + [person("Rosso"), person("Verdi", "Marioli")]
    if "ros" in query:
        people.pop()
    forwards = walk(office, "next_url", query)
    assert [pk for page in forwards for pk in page] == [member.pk for member in people]
    assert all(len(page) == 3 for page in forwards[:-1])
    backwards = walk(office, "previous_url", (query or "?") + ("&" if query else "") + "p=ultima")
    # The first page is full, even where it repeats what the second one begins with.
    assert list(dict.fromkeys(pk for page in backwards[::-1] for pk in page)) == [member.pk for member in people]
    first = office.get(URL + query).context["cl"]
    assert (first.first_url, first.previous_url) == ("", "")
    last = office.get(URL + first.last_url).context["cl"]
    assert (last.next_url, last.last_url) == ("", "")
    assert [member.pk for member in last.result_list] == [member.pk for member in people[-3:]]


def test_no_row_is_lost_or_repeated_while_others_are_inserted(
    office: Client, person: Callable[..., Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists.ListAdmin, "list_per_page", 2)
    there = [person("Rossi", "Mario").pk for _n in range(6)]
    seen, url = [], "?"
    while url:
        cl = office.get(URL + url).context["cl"]
        seen += [member.pk for member in cl.result_list]
        person("Abate")
        url = cl.next_url
    assert seen == there


@pytest.mark.parametrize("link", ["next_url", "previous_url"])
def test_where_hardly_anybody_is_found_pages_end_and_go_on(
    office: Client, person: Callable[..., Member], monkeypatch: pytest.MonkeyPatch, link: str
) -> None:
    monkeypatch.setattr("members.keyset.LOOKED_AT", 5)
    monkeypatch.setattr("members.keyset.COUNTED", 2)
    monkeypatch.setattr(lists.ListAdmin, "list_per_page", 2)
    people = [person(f"Rossi{chr(97 + n)}") for n in range(23)]
    wanted = [people[n] for n in (0, 11, 12, 13, 21)]
    with scopes_disabled():
        Member.objects.filter(pk__in=[member.pk for member in wanted]).update(province="MC")
    for _n in range(30):
        person("Verdi", province="MC")
    query = "?provincia=MC&q=rossi"
    pages = walk(office, link, query + ("&p=ultima" if link == "previous_url" else ""))
    if link == "previous_url":
        pages.reverse()
    assert list(dict.fromkeys(pk for page in pages for pk in page)) == [member.pk for member in wanted]
    assert [] in pages
    last = office.get(URL + query + "&p=ultima")
    assert "con «Precedente» continua" in last.content.decode()


def test_who_sees_several_ordini_may_choose_one(person: Callable[..., Member], client: Client, ordine: Ordine) -> None:
    other = OrdineFactory()
    person("Rossi"), person("Verdi", ordine=other)
    client.force_login(UserFactory(is_superuser=True))
    assert names(client, ordine=str(other.pk)) == ["Verdi Mario"]
    assert names(client, ordine=str(ordine.pk), q="mario") == ["Rossi Mario"]
    assert names(client, ordine="0") == names(client, ordine="x") == ["Rossi Mario", "Verdi Mario"]
    client.force_login(staff(ordine))
    assert names(client, ordine=str(other.pk)) == ["Rossi Mario"]


def test_the_list_belongs_to_the_ordine(office: Client, person: Callable[..., Member], client: Client) -> None:
    stranger = person("Rossi", ordine=OrdineFactory())
    with scopes_disabled():
        Enrolment.objects.update(number="4711")
        albo = Albo.objects.get(name="Logopedista").pk
    for query in ("", "?q=rossi", "?q=mario", "?q=rss", "?q=4711", f"?albo={albo}", "?stato=ISCRITTO", "?provincia=AN",
                  "?pec=senza", "?p=ultima"):  # fmt: skip
        cl = office.get(URL + query).context["cl"]
        assert (list(cl.result_list), cl.result_count) == ([], 0)
    person("Verdi")
    client.force_login(UserFactory(is_superuser=True))
    assert names(client) == ["Rossi Mario", "Verdi Mario"]
    assert names(client, q="ross") == [str(stranger)]


def test_filters_and_their_combinations(office: Client, person: Callable[..., Member]) -> None:
    suspended, mismatched = person("Alfa", province="MC"), person("Beta", tax_code_mismatch=True)
    silent, left = person("Gamma", personal_email=""), person("Delta")
    with scopes_disabled():
        podologo = Albo.objects.get(name="Podologo")
        suspended.enrolments.update(status="SOSPESO")
        left.enrolments.update(status="CANCELLATO", albo=podologo)
        Member.objects.exclude(pk=mismatched.pk).update(tax_code_mismatch=False)
        Member.objects.filter(pk=mismatched.pk).update(tax_code_mismatch=True)
    assert names(office, stato="SOSPESO") == [str(suspended)]
    assert names(office, stato="CANCELLATO") == [str(left)]
    assert names(office, stato="ISCRITTO") == [str(mismatched), str(silent)]
    assert names(office, albo=str(podologo.pk)) == [str(left)]
    assert names(office, albo=str(podologo.pk), stato="ISCRITTO") == []
    assert names(office, provincia="MC") == [str(suspended)]
    assert names(office, provincia="MC", stato="ISCRITTO") == []
    assert names(office, avviso="cf_mismatch") == [str(mismatched)]
    assert names(office, avviso="email_missing") == [str(silent)]
    assert names(office, stato="SOSPESO", q="alf") == [str(suspended)]
    assert names(office, stato="SOSPESO", q="beta") == []
    assert names(office, albo="nessuno", stato="?", avviso="?") == names(office)


def test_albo_and_status_are_of_one_enrolment(office: Client, person: Callable[..., Member]) -> None:
    member = person("Alfa")
    with scopes_disabled():
        podologo = Albo.objects.get(name="Podologo")
        Enrolment.objects.create(member=member, albo=podologo, number="1", status="SOSPESO")
    assert names(office, albo=str(podologo.pk), stato="SOSPESO") == [str(member)]
    assert names(office, albo=str(podologo.pk), stato="ISCRITTO") == []


def test_other_lookups_are_refused(office: Client) -> None:
    assert office.get(URL, {"surname__contains": "x"}).status_code == 400
    assert names(office, o="-1", p="dopo-nessuno") == []


def test_more_than_a_thousand_are_not_counted(
    office: Client, person: Callable[..., Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("lists.COUNTED", "keyset.COUNTED", "keyset.LOOKED_AT"):
        monkeypatch.setattr(f"members.{name}", 2)
    monkeypatch.setattr(lists.ListAdmin, "list_per_page", 1)
    person("Alfa"), person("Beta")
    assert "2 iscritti" in office.get(URL).content.decode()
    person("Gamma")
    assert "più di 2 iscritti" in office.get(URL).content.decode()
    for _n in range(3):
        person("Delta", "Ugo")
    # Three of the province are looked at, in the order of the list, and two of them are called Mario.
    assert "almeno 2 iscritti" in office.get(URL, {"provincia": "AN", "q": "mario"}).content.decode()


def terms(member: Member) -> set[str]:
    with scopes_disabled():
        rows = Term.objects.filter(member_id=member.pk)
        assert {(row.ordine_id, row.sort) for row in rows} <= {(member.ordine_id, member.search_key)}
        return {row.term for row in rows if not row.term.startswith("=pec")}


def enrolled(member: Member) -> set[str]:
    with scopes_disabled():
        found = {f"={what}" for e in member.enrolments.all() for what in (f"albo {e.albo_id}", f"stato {e.status}")}
        left = member.enrolments.exclude(status="ISCRITTO")
        return found | {f"=albo {e.albo_id} {e.status}" for e in left}


def test_the_database_keeps_the_terms(person: Callable[..., Member]) -> None:
    member = person("Dal Pozzo", "Anna Maria")
    assert terms(member) == {"pozzo", "anna", "maria"} | enrolled(member)
    with scopes_disabled():
        member.name = "Lia"
        member.save()
        assert terms(member) == {"pozzo", "lia"} | enrolled(member)
        Member.objects.filter(pk=member.pk).update(search_key=search_key("Verdi", "Ugo Elio"), ordine=OrdineFactory())
        member.refresh_from_db()
        assert terms(member) == {"ugo", "elio"} | enrolled(member)
        member.enrolments.update(status="CANCELLATO")
        assert "=stato ISCRITTO" not in terms(member)
        assert terms(member) == {"ugo", "elio"} | enrolled(member)
        extra = Enrolment.objects.create(member=member, albo=Albo.objects.get(name="Podologo"), number="1")
        assert terms(member) == {"ugo", "elio"} | enrolled(member)
        extra.delete()
        assert terms(member) == {"ugo", "elio"} | enrolled(member)
        member.enrolments.all().delete()
        member.delete()
        assert not Term.objects.exists()


def test_copy_keeps_the_terms_too(ordine: Ordine) -> None:
    with scopes_disabled(), connection.cursor() as cursor:
        columns = (
            "ordine_id, tax_code, tax_code_mismatch, surname, name, search_key, sex, birth_place, birth_province, "
            "file_number, personal_email, email_problem, mobile, own_pec, address, postcode, town, province"
        )
        with cursor.copy(f"COPY members_member ({columns}) FROM STDIN") as copy:
            for n in range(3):
                blanks = [""] * 5
                copy.write_row([ordine.pk, tax_code(n), False, "Neri", "Ada Lia", " neri  ada lia", "F", *blanks[:4],
                                "email_missing", *blanks, "", "AN"][:18])  # fmt: skip
        member = Member.objects.order_by("pk").first()
        assert member
        albo = Albo.objects.get(name="Podologo").pk
        with cursor.copy("COPY members_enrolment (member_id, albo_id, number, status) FROM STDIN") as copy:
            copy.write_row([member.pk, albo, "1", "SOSPESO"])
        assert terms(member) == {"ada", "lia", f"=albo {albo}", "=stato SOSPESO", f"=albo {albo} SOSPESO"}
        assert Term.objects.filter(term="ada").count() == 3
        assert Term.objects.filter(term="=pec SENZA").count() == 1
