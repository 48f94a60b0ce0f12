"""The office's lists at a million members, against the same lists at ten thousand."""

from __future__ import annotations

import logging
import statistics
import time
from dataclasses import dataclass

from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_settings

from bench import scene
from bench.report import Report
from members.models import Ordine, StaffRole, User

SMALL, LARGE = 10_000, 1_000_000
_ORDINI = 61
_TIMES = 9
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


@dataclass(frozen=True)
class Look:
    """One page of a list: who looks, and what is asked for."""

    name: str
    path: str
    federation: bool = False


_MEMBERS, _REQUESTS = "/admin/members/member/", "/admin/pec_requests/pecrequest/"
_OF_MEMBERS = {
    "first": "", "last": "p=ultima", "surname": "q=ross", "name": "q=mari", "one letter": "q=m",
    "two words": "q=ross+mar", "codice fiscale": "q=CFX00", "number": "q=77", "address": "q=nome1.",
    "albo": "albo={albo}", "status": "stato=SOSPESO",
    "enrolled": "stato=ISCRITTO", "province": "provincia=AN", "rare province": "provincia=ZZ", "pec": "pec=ATTIVO",
    "senza PEC": "pec=senza", "con": "pec=con", "mismatch": "avviso=cf_mismatch", "no e-mail": "avviso=email_missing",
    "albo and status": "albo={albo}&stato=SOSPESO", "search and filter": "q=ross&pec=senza",
    "last of a filter": "stato=SOSPESO&p=ultima", "last of a search": "q=mari&p=ultima",
}  # fmt: skip
_OF_REQUESTS = {
    "first": "", "last": "p=ultima", "attention": "attenzione=si", "status": "stato=SOSPESO", "most": "stato=ATTIVO",
    "domain": "dominio=tsrm.org", "surname": "q=ross", "name": "q=mari", "address": "q=nome1.",
    "codice fiscale": "q=CFX00",
}  # fmt: skip


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
                taken[number] = {look: _time(look) for look in _looks()}
            _compare(report, ordini, taken[SMALL], taken[LARGE])


def _looks() -> list[Look]:
    albo = str(_albo())
    looks = []
    for federation, who in ((False, "staff"), (True, "federation")):
        for path, what, queries in (
            (_MEMBERS, "members", _OF_MEMBERS), (_REQUESTS, "requests", _OF_REQUESTS)
        ):  # fmt: skip
            for name, query in queries.items():
                looks.append(Look(f"{who}, {what}: {name}", f"{path}?{query.format(albo=albo)}", federation))
    return looks


def _compare(
    report: Report, ordini: int, small: dict[Look, tuple[float, int]], large: dict[Look, tuple[float, int]]
) -> None:
    ratios = {look: large[look][0] / small[look][0] for look in small}
    worst = sorted(ratios, key=lambda look: ratios[look], reverse=True)
    for look in worst[:_WORST]:
        times = f"{small[look][0] * 1000:.0f} {large[look][0] * 1000:.0f}"
        report.fact(f"  ms at {SMALL} and {LARGE}: {look.name}", times)
        report.fact("    against 10,000", f"{ratios[look]:.2f}")
    missed = [look.name for look in worst if ratios[look] > 1.5]
    if missed:
        report.fact("  beyond 1.5", ", ".join(missed))
    report.at_most(f"{ordini} Ordini: a page at a million, against ten thousand, worst", ratios[worst[0]], 1.5)
    report.at_most(
        f"{ordini} Ordini: pages whose queries are not as many",
        sum(small[look][1] != large[look][1] for look in small),
        0,
    )


def _time(look: Look) -> tuple[float, int]:
    """The median of several, and how many queries."""
    client = Client()
    client.force_login(User.objects.get(username="bench-federation" if look.federation else "bench-staff"))
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(look.path)
    queries = len(asked)
    assert answer.status_code == 200 and queries, (look.name, answer.status_code)

    def one() -> float:
        began = time.monotonic()
        client.get(look.path)
        return time.monotonic() - began

    return statistics.median(one() for _time in range(_TIMES)), queries


def _albo() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM members_albo ORDER BY name LIMIT 1 OFFSET 3")
        return int(cursor.fetchone()[0])


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

MEASURES = [lists]
