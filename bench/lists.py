"""The office's lists at a million members, against the same lists at ten thousand."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from itertools import chain, combinations, product
from typing import NamedTuple

from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_settings

from bench import scene
from bench.report import Report
from members.models import Ordine, StaffRole, User

SMALL, LARGE = 10_000, 1_000_000
_ORDINI = 61
_TIMES = 5
# The three that take longest, by name.
_WORST = 3
_SURNAMES = (
    "Rossi Russo Ferrari Esposito Bianchi Romano Colombo Ricci Marino Greco Bruno Gallo Conti De_Luca Mancini Costa"
    " Giordano Rizzo Lombardi Moretti Barbieri Fontana Santoro Mariani Rinaldi Caruso Ferrara Galli Martini Leone"
    " Longo Gentile Martinelli Vitale Lombardo Serra Coppola De_Santis D'Angelo Marchetti Parisi Villa Conte Ferraro"
    " Ferri Fabbri Bianco Marini Grasso Valentini Messina Sala De_Angelis Gatti Pellegrini Palumbo Sanna Farina Rizzi"
    " Monti Cattaneo Morelli"
)
_NAMES = (
    "Maria Anna Giuseppe Antonio Giovanni Francesca Luigi Andrea Laura Marco Paola Roberto Elena Stefano Chiara Mario"
    " Sara Francesco Giulia Paolo Silvia Alessandro Valentina Luca Federica Davide Martina Simone Elisa Niccolò Zoe"
)


_MEMBERS, _REQUESTS = "/admin/members/member/", "/admin/pec_requests/pecrequest/"
_OPERATIONS = "/admin/pec_requests/provideroperation/"
# Beginnings of surnames and names, two words, codice fiscale, number, address; and what nobody is called.
_WORDS = (
    "f",
    "fe",
    "fer",
    "ferrar",
    "mari",
    "ross mar",
    "mar ferr",
    "CFX",
    "CFX00001",
    "77",
    "nome1.",
    "nome10",
    "qqq",
)
_SEARCHES = {_MEMBERS: _WORDS, _REQUESTS: _WORDS, _OPERATIONS: ("nome", "nome1", "nome10.cogn", "qqq")}
# Of each filter so many choices go into pairs with those of the others.
_PAIRED = 3


class Taken(NamedTuple):
    """What a page cost, and how many rows it has."""

    seconds: float
    queries: int
    rows: int


def lists(report: Report) -> None:
    """Every page of the lists, of the staff of one Ordine that has all members or its part, and of the federation."""
    logging.disable(logging.WARNING)
    call_command("collectstatic", verbosity=0, interactive=False)
    with override_settings(ALLOWED_HOSTS=["testserver"], MFA_REQUIRED=False):
        for ordini in (1, _ORDINI):
            taken = {}
            for number in (SMALL, LARGE):
                began = time.monotonic()
                fill(number, ordini)
                report.fact(f"{number} members of {ordini} Ordini: seconds to fill", f"{time.monotonic() - began:.0f}")
                taken[number] = look_at_all()
            _compare(report, ordini, taken[SMALL], taken[LARGE])


def look_at_all() -> dict[str, Taken]:
    """How long each page takes, and how many queries."""
    taken = {}
    for who in ("staff", "federation"):
        client = Client()
        client.force_login(User.objects.get(username=f"bench-{who}"))
        for path, words in _SEARCHES.items():
            for name, url in _offered(client, path, words):
                taken[f"{who}, {path.split('/')[-2]}: {name}"] = _time(client, url)
    return taken


def _offered(client: Client, path: str, words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """What one can ask of a list: all it has links for, searches, both together, and filters by twos."""
    cl = client.get(path).context_data["cl"]
    choices = [
        [choice["query_string"].removeprefix("?") for choice in spec.choices(cl) if not choice["selected"]]
        for spec in cl.filter_specs
    ]
    searches = [f"q={word.replace(' ', '+')}" for word in words]
    some = [[*of_one[: _PAIRED - 1], *of_one[-1:]] for of_one in choices]
    pairs = [f"{one}&{other}" for ones, others in combinations(some, 2) for one, other in product(ones, others)]
    with_filters = [f"{search}&{one}" for search in searches[1::3] for ones in some for one in ones]
    singles = ["", *chain(*choices), *searches]
    for query in (*singles, *pairs, *with_filters):
        yield query, f"{path}?{query}"
    for query in singles:
        cl = client.get(f"{path}?{query}").context_data["cl"]
        links = {"last": cl.last_url, "next": cl.next_url}
        if cl.last_url:
            links["next to last"] = client.get(path + cl.last_url).context_data["cl"].previous_url
        for name, url in links.items():
            if url:
                yield f"{query} {name}", path + url


def _compare(report: Report, ordini: int, small: dict[str, Taken], large: dict[str, Taken]) -> None:
    # A page of fifty is not compared with one that had but four to show.
    alike = [look for look in small if look in large and large[look].rows <= small[look].rows]
    ratios = {look: large[look].seconds / small[look].seconds for look in alike}
    worst = sorted(ratios, key=lambda look: ratios[look], reverse=True)
    for look in worst[:_WORST]:
        times = f"{small[look].seconds * 1000:.0f} {large[look].seconds * 1000:.0f}"
        report.fact(f"  ms at {SMALL} and {LARGE}: {look}", times)
        report.fact("    against 10,000", f"{ratios[look]:.2f}")
    report.fact(f"  of so many pages, beyond 1.5 (of {len(ratios)})", str(sum(r > 1.5 for r in ratios.values())))
    report.at_most(f"{ordini} Ordini: a page at a million, against ten thousand, worst", ratios[worst[0]], 1.5)
    report.at_most(
        f"{ordini} Ordini: pages that ask more queries",
        sum(small[look].queries < large[look].queries for look in ratios),
        0,
    )


def _time(client: Client, url: str) -> Taken:
    """The shortest time of several: what else the machine does only ever adds."""
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(url)
    queries = len(asked)
    assert answer.status_code == 200 and queries, (url, answer.status_code)
    rows = len(answer.context_data["cl"].result_list)

    def one() -> float:
        began = time.monotonic()
        client.get(url)
        return time.monotonic() - began

    return Taken(min(one() for _time in range(_TIMES)), queries, rows)


def fill(number: int, ordini: int) -> None:
    """Invented people: some surnames far more frequent than others, one albo each, requests for nine of ten."""
    scene.clear()
    _people(ordini)
    with connection.cursor() as cursor:
        cursor.execute(_INVENT, [_SURNAMES, _NAMES, number, ordini])
        cursor.execute(_FILL_MEMBERS)
        cursor.execute(_FILL_ENROLMENTS)
        # Requests are born RICHIESTA, else: to let each live its life would take longer than all the rest.
        cursor.execute("ALTER TABLE pec_requests_pecrequest DISABLE TRIGGER pec_requests_guard_rows")
        cursor.execute(_FILL_REQUESTS)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE pec_requests_pecrequest ENABLE TRIGGER pec_requests_guard_rows")
        cursor.execute(_FILL_OPERATIONS)
        cursor.execute("DROP TABLE bench_people")
    scene.tidy()


def _people(ordini: int) -> None:
    for n in range(_ORDINI):
        Ordine.objects.get_or_create(
            code=f"bench-{n}", defaults={"name": f"Ordine {n}", "short_name": f"Ordine {n}", "provinces": ["AN", "ZZ"]}
        )
    staff, made = User.objects.get_or_create(username="bench-staff")
    if made:
        StaffRole.objects.create(user=staff, ordine=Ordine.objects.get(code="bench-0"), role="RESPONSABILE")
    User.objects.get_or_create(username="bench-federation", defaults={"is_superuser": True})


# A square makes the first of the list far more frequent than the last. A quarter is of the Ordine that staff look at.
_INVENT = """
CREATE UNLOGGED TABLE bench_people AS
SELECT n, o.id AS ordine_id, (hashint8(n) & 65535) %% 100 AS die,
       replace(surnames[1 + floor(power((hashint8(n * 7 + 1) & 65535) / 65536.0, 2) * cardinality(surnames))::int],
               '_', ' ')
       || CASE WHEN n %% 5 < 2 THEN '' ELSE chr(97 + (n %% 23)::int) || chr(97 + (n %% 19)::int) END AS surname,
       names[1 + floor(power((hashint8(n * 13 + 5) & 65535) / 65536.0, 2) * cardinality(names))::int] AS name
  FROM (SELECT string_to_array(%s, ' ') AS surnames, string_to_array(%s, ' ') AS names) AS known,
       generate_series(1::bigint, %s) AS n
       JOIN members_ordine o ON o.code = 'bench-' || (CASE WHEN n %% 4 = 0 THEN 0 ELSE n %% %s END)
"""
_FILL_MEMBERS = """
INSERT INTO members_member (ordine_id, tax_code, tax_code_mismatch, surname, name, search_key, sex, birth_date,
       birth_place, birth_province, file_number, personal_email, email_problem, mobile, own_pec, address, postcode,
       town, province)
SELECT ordine_id, 'CFX' || lpad(n::text, 13, '0'), die < 4, surname, name,
       ' ' || lower(replace(surname, '\'\'', '')) || '  ' || lower(replace(name, 'ò', 'o')), 'F', '1980-01-01',
       'Ancona',
       'AN', '', CASE WHEN die > 95 THEN '' ELSE 'nome' || n || '@example.com' END,
       CASE WHEN die > 95 THEN 'email_missing' ELSE '' END, '3331234567', '', 'Via Roma, 1', '60100', 'Ancona',
       CASE WHEN n <= 60 THEN 'ZZ' ELSE 'AN' END
  FROM bench_people
"""
_FILL_ENROLMENTS = """
INSERT INTO members_enrolment (member_id, albo_id, number, enrolled_on, status)
SELECT m.id, albi[1 + p.n % cardinality(albi)], (1 + p.n / cardinality(albi))::text, '2020-01-01',
       CASE WHEN p.die BETWEEN 10 AND 12 THEN 'SOSPESO' WHEN p.die = 20 THEN 'CANCELLATO' ELSE 'ISCRITTO' END
  FROM bench_people AS p JOIN members_member AS m ON m.tax_code = 'CFX' || lpad(p.n::text, 13, '0'),
       (SELECT array_agg(id ORDER BY name) AS albi FROM members_albo) AS known
"""
_FILL_REQUESTS = """
INSERT INTO pec_requests_pecrequest (public_id, member_id, domain_id, address, recovery_email, status, accepted_at,
       reason)
SELECT gen_random_uuid(), m.id, (SELECT id FROM pec_requests_pecdomain WHERE name = 'tsrm.org'),
       'nome' || p.n || '.cognome@tsrm.org', m.personal_email,
       CASE WHEN p.die < 5 THEN 'RICHIESTA' WHEN p.die < 10 THEN 'NON_ATTIVO'
            WHEN p.die < 12 THEN 'SOSPESO' ELSE 'ATTIVO' END,
       CASE WHEN p.die >= 10 THEN now() END, ''
  FROM bench_people AS p JOIN members_member AS m ON m.tax_code = 'CFX' || lpad(p.n::text, 13, '0')
 WHERE p.die < 90
"""

_FILL_OPERATIONS = """
INSERT INTO pec_requests_provideroperation (request_id, address, kind, state, recovery_email, attempts, look_first,
       claimed_by, result, last_error, finished_at)
SELECT id, address, CASE id % 50 WHEN 0 THEN 'RESET' ELSE 'CREATE' END, state, '', 1, false, '', '', '',
       CASE WHEN state <> 'WAITING' THEN now() - interval '2 days' END
  FROM (SELECT id, address, CASE id % 1000 WHEN 0 THEN 'ATTENTION' WHEN 1 THEN 'WAITING' WHEN 2 THEN 'UNKNOWN'
               ELSE 'DONE' END AS state
          FROM pec_requests_pecrequest ORDER BY id) AS request
"""

MEASURES = [lists]
