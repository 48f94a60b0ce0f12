"""Nothing happens without an entry: every address by which somebody does something is posted to, and must leave one
with who it was and where from. A new address is an act, or says here why it is none.
"""

from __future__ import annotations

import ast
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_scopes import scopes_disabled
from post_office.models import Email

from audit import words
from audit.models import LogEntry
from members import access, contacts, import_working, preferences, tasks
from members.log_filters import FAMILIES
from members.models import AccessLink, ImportRun, Member, Ordine, User
from pec_requests import batches, lifecycle, recovery_alarms
from pec_requests.models import PecDomain, PecRequest, ProviderOperation, RecoveryEmailChange, RequestBatch
from pec_requests.recovery_in_force import stop_link
from pec_requests.states import MOVES, Kind
from tests.factories import PASSWORD, MemberFactory, OrdineFactory, UserFactory, staff, tax_code
from tests.members.invented import as_csv
from tests.pec_requests.conftest import STAFF
from tests.pec_requests.test_recovery import ask
from tests.pec_requests.test_views import activate
from tests.test_permissions import names

ROOT = Path(__file__).resolve().parents[2]
State = ProviderOperation.State
_NUMBERS = iter(range(600, 999))


@dataclass
class Act:
    """One POST: who sends what where. ``by`` is None for whoever is not signed in."""

    by: User | None
    arguments: list[Any] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    query: str = ""
    # What a worker, to whom the page hands over, then does.
    then: Callable[[], None] = lambda: None
    # GET: what is read, or taken along, is in the log too.
    get: bool = False


class World:
    """An Ordine with its office, and as many members in as many states as there are acts."""

    def __init__(self) -> None:
        self.ordine: Ordine = OrdineFactory()
        self.office = staff(self.ordine)
        self.federation = UserFactory(is_superuser=True, is_staff=True)
        self.domain = PecDomain.objects.get(name="tsrm.org")

    def member(self, **values: Any) -> Member:
        made: Member = MemberFactory(ordine=self.ordine, number=next(_NUMBERS), **values)
        return made

    def pec(self) -> PecRequest:
        return lifecycle.request_pec([self.member().pk], self.domain, STAFF).created[0]

    def offered(self) -> PecRequest:
        pec = self.pec()
        pec.operations.update(state=State.DONE, finished_at=Now())
        lifecycle.confirm(pec.operations.select_related("request__member__ordine"), STAFF)
        return PecRequest.objects.get(pk=pec.pk)

    def active(self) -> PecRequest:
        return activate(self.pec())

    def stuck(self) -> ProviderOperation:
        pec = self.active()
        lifecycle.decide([pec.pk], "suspend", STAFF, reason="x")
        pec.operations.filter(kind=Kind.SUSPEND).update(state=State.ATTENTION, finished_at=Now(), attempts=1)
        return pec.operations.get(kind=Kind.SUSPEND)

    def colleague(self) -> int:
        return staff(self.ordine).staff_roles.get().pk

    def batch(self) -> RequestBatch:
        asked = {self.ordine.pk: [self.member().pk]}
        return batches.order(asked, self.domain, STAFF, asked="tutti", key=uuid.uuid4())[0]

    def run(self) -> ImportRun:
        client = Client()
        client.force_login(self.office)
        content = as_csv([{}]).getvalue()
        client.post("/admin/members/importrun/add/", {"file": SimpleUploadedFile("albo.csv", content)})
        import_working.carry_out()
        return ImportRun.objects.latest("id")

    def wish(self) -> tuple[PecRequest, str]:
        pec = self.active()
        return pec, ask(pec)

    def link(self, member: Member) -> AccessLink:
        access.invite(member, STAFF)
        return AccessLink.objects.latest("id")


def own(pec: PecRequest, **data: Any) -> Act:
    return Act(pec.member.user, [pec.public_id], data)


def _change_email(world: World) -> Act:
    member = world.member()
    return Act(member.user, data={"email": f"nuova{member.pk}@example.com", "password": PASSWORD})


def _email_wish(world: World) -> tuple[Member, str]:
    member = world.member()
    contacts.ask_email(member.pk, f"altra{member.pk}@example.com", STAFF)
    found = re.search(r"/conferma/([\w-]+)/", Email.objects.filter(to=f"altra{member.pk}@example.com").get().message)
    assert found
    return member, found[1]


def _stop(world: World) -> Act:
    pec, _secret = world.wish()
    change = RecoveryEmailChange.objects.filter(request=pec).latest("id")
    return Act(None, [stop_link(change).rstrip("/").rpartition("/")[2]])


def _resend(world: World) -> Act:
    pec, _secret = world.wish()
    RecoveryEmailChange.objects.filter(request=pec).update(created_at=timezone.now() - timedelta(hours=1))
    return own(pec)


def _alarm(world: World) -> Act:
    pec, _secret = world.wish()
    change = RecoveryEmailChange.objects.filter(request=pec).latest("id")
    recovery_alarms.stop(stop_link(change).rstrip("/").rpartition("/")[2], STAFF)
    return Act(world.office, [pec.pk], {"verdict": "MEMBER"})


def _forgotten(world: World) -> Act:
    member = world.member()
    return Act(
        None,
        data={"identifier": member.tax_code},
        then=lambda: tasks.send_password_link(member.tax_code, "127.0.0.1"),
    )


def _merge(world: World) -> Act:
    kept, gone = world.member(), world.member()
    return Act(world.office, [kept.pk], {"code": gone.tax_code, "keep": str(kept.pk), "confirmed": "1"})


def _leave(world: World) -> Act:
    member = world.member()
    data = {"enrolments": [member.enrolments.get().pk], "on": "2026-01-31", "reason": "x"}
    return Act(world.office, [member.pk], data)


def _transfer(world: World) -> Act:
    return Act(world.office, [world.member().pk], {"to": OrdineFactory().pk})


ACTS: dict[str, Callable[[World], Act]] = {
    "account_login": lambda w: Act(None, data={"login": w.member().tax_code, "password": PASSWORD}),
    "account_logout": lambda w: Act(w.member().user),
    "account_reauthenticate": lambda w: Act(w.member().user, data={"password": PASSWORD}),
    "account_change_password": lambda w: Act(
        w.member().user, data={"oldpassword": PASSWORD, "password1": "Altra-prova-22", "password2": "Altra-prova-22"}
    ),
    "members:preferences": lambda w: Act(w.member().user),
    "members:unsubscribe": lambda w: Act(
        None, [preferences.unsubscribe_link(w.member()).rstrip("/").rpartition("/")[2]]
    ),
    "members:language": lambda w: Act(w.member().user, data={"language": "de"}),
    "members:change_email": _change_email,
    "members:drop_email": lambda w: Act(_email_wish(w)[0].user),
    "members:confirm_email": lambda w: Act(None, [_email_wish(w)[1]]),
    "members:own_data": lambda w: Act(w.member().user, data={"form": "json", "password": PASSWORD}),
    "members:change_mobile": lambda w: Act(w.member().user, data={"mobile": "3471234567"}),
    "members:first_access": lambda w: Act(None, data={"tax_code": w.member().tax_code, "code": "7K3M-P9QX-4TRA"}),
    "members:password_forgotten": _forgotten,
    "pec_requests:accept": lambda w: own(w.offered(), conditions="on"),
    "pec_requests:refuse": lambda w: own(w.offered()),
    "pec_requests:change-recovery": lambda w: own(w.active(), email="mia@example.com", password=PASSWORD),
    "pec_requests:drop-recovery": lambda w: own(w.wish()[0]),
    "pec_requests:resend-recovery": _resend,
    "pec_requests:confirm-recovery": lambda w: Act(None, [w.wish()[1]]),
    "pec_requests:stop-recovery": _stop,
    "pec_requests:reset-password": lambda w: own(w.active()),
    "admin:logout": lambda w: Act(staff(w.ordine)),
    "admin:members_member_request_pec": lambda w: Act(w.office, data={"ids": [w.member().pk], "domain": w.domain.pk}),
    "admin:members_member_invite": lambda w: Act(w.office, [w.member().pk]),
    "admin:members_member_code": lambda w: Act(w.office, [w.member().pk]),
    "admin:members_member_tax_code": lambda w: Act(
        w.office, [w.member().pk], {"code": tax_code(next(_NUMBERS)), "confirmed": "1"}
    ),
    "admin:members_member_merge": _merge,
    "admin:members_member_transfer": _transfer,
    "admin:members_member_leave": _leave,
    "admin:members_member_see_as": lambda w: Act(w.office, [w.member().pk], {"reason": "Ha telefonato"}),
    "admin:members_staffrole_add": lambda w: Act(
        w.office,
        data={
            "ordine": w.ordine.pk,
            "name": "Ada",
            "surname": "Prova",
            "email": "ada.prova@example.com",
            "role": "OPERATORE",
        },
    ),
    "admin:members_staffrole_change": lambda w: Act(w.office, [w.colleague()], {"role": "REVISORE"}),
    "admin:members_staffrole_dismiss": lambda w: Act(w.office, [w.colleague()]),
    "admin:members_member_add": lambda w: Act(
        w.office,
        data={"ordine": w.ordine.pk, "tax_code": tax_code(next(_NUMBERS)), "surname": "Rossi", "name": "Mario"},
    ),
    "admin:members_member_change": lambda w: Act(w.office, [w.member().pk], {"town": "Jesi"}),
    "admin:members_importrun_add": lambda w: Act(
        w.office, data={"file": SimpleUploadedFile("albo.csv", as_csv([{}]).getvalue())}
    ),
    "admin:members_importrun_change": lambda w: Act(w.office, [w.run().pk], {"act": "ask_columns"}),
    "admin:pec_requests_pecrequest_act": lambda w: Act(w.office, [w.offered().pk, "cancel"], {"reason": "x"}),
    "admin:pec_requests_pecrequest_alarm": _alarm,
    "admin:pec_requests_requestbatch_cancel": lambda w: Act(w.office, [w.batch().pk], {"reason": "x"}),
    "admin:pec_requests_provideroperation_retry": lambda w: Act(w.office, [w.stuck().pk]),
    "admin:pec_requests_provideroperation_drop": lambda w: Act(w.office, [w.stuck().pk]),
    "admin:pec_requests_provideroperation_retry_all": lambda w: w.stuck() and Act(w.office, ["SUSPEND"]),
    "admin:members_ordine_add": lambda w: Act(
        w.federation, data={"code": "nuovo", "name": "Nuovo", "short_name": "Nuovo"}
    ),
    "admin:members_ordine_change": lambda w: Act(w.federation, [w.ordine.pk], {"phone": "071"}),
    "admin:members_albo_add": lambda w: Act(w.federation, data={"name": "Albo di prova"}),
    "admin:members_albo_change": lambda w: Act(
        w.federation, [w.member().enrolments.get().albo_id], {"valid_from": "2001-01-01"}
    ),
    "admin:members_user_add": lambda w: Act(
        w.federation, data={"username": "nuova", "password1": "Prova-lunga-33", "password2": "Prova-lunga-33"}
    ),
    "admin:members_user_change": lambda w: Act(w.federation, [staff(w.ordine).pk], {"last_name": "Bianchi"}),
    "admin:auth_user_password_change": lambda w: Act(
        w.federation, [staff(w.ordine).pk], {"password1": "Prova-lunga-33", "password2": "Prova-lunga-33"}
    ),
    "admin:pec_requests_pecdomain_add": lambda w: Act(w.federation, data={"name": "altro.example"}),
    "admin:pec_requests_pecdomain_change": lambda w: Act(w.federation, [w.domain.pk], {"ordini": [w.ordine.pk]}),
    # What is read, or taken along.
    "admin:members_member_history": lambda w: Act(w.office, [w.member().pk], get=True),
    "admin:members_member_sheet": lambda w: Act(w.office, [w.member().pk], get=True),
    "admin:pec_requests_pecrequest_change": lambda w: Act(w.office, [w.pec().pk], get=True),
    **{
        f"admin:{model}_export": lambda w: Act(w.office, ["csv"], get=True)
        for model in (
            *("members_member", "pec_requests_pecrequest", "pec_requests_provideroperation"),
            *("pec_requests_difference", "audit_logentry"),
        )
    },
}
_PAGES = "shows, and does nothing"
NO_ACTS: dict[str, str] = {
    **dict.fromkeys(
        (
            *("home", "help", "privacy", "accessibility", "healthz", "readyz", "metrics", "account_inactive"),
            "security_txt",
            *("account_set_password", "members:home", "members:record", "members:password_link_sent"),
            *("pec_requests:list", "pec_requests:status", "pec_requests:panel", "pec_requests:panel-status"),
            *("members:invitation", "members:password_link", "mfa_index", "admin:index", "admin:login"),
            *("admin:password_change", "admin:password_change_done", "admin:app_list", "admin:jsi18n"),
            *("admin:autocomplete", "admin:view_on_site", "admin:members_importrun_progress"),
            *("admin:members_ordine_letters", "admin:members_ordine_letters_of", "admin:members_ordine_letter"),
            *("admin:members_ordine_letter_html", "admin:pec_requests_requestbatch_standing"),
            *("admin:pec_requests_requestbatch_change", "admin:pec_requests_provideroperation_change"),
            *("admin:pec_requests_difference_change", "admin:audit_logentry_change"),
            "admin:pec_requests_providerhealth_change",
        ),
        _PAGES,
    ),
    "members:new_password": "in test_a_new_password_and_what_fails_are_in_the_log, for it wants a session",
    "sessions": "tests/members/test_sessions.py, with two browsers",
    "members:support_end": "tests/members/test_support.py, with a view that has begun",
    "admin:members_staffrole_invite": "tests/members/test_staffing.py, with somebody who has not come in",
    "admin:members_tally_lift": "tests/members/test_throttle.py, with a lock",
    "admin:members_tally_change": "the list says all there is to say, and nobody changes it",
    "members:identity_start": "tests/members/test_digital_identity.py, with a gateway",
    "members:identity_return": "tests/members/test_digital_identity.py, with a gateway",
    "admin:members_importrun_rejects": "tests/members/test_import_web.py, with a file of rejects",
}
# allauth's own pages about the second factor, with tests of their own; of each model what nobody may, and lists.
_OTHERS = re.compile(r"mfa_(?!index)\w+|admin:\w+_(changelist|delete)|admin:(?!members_member_)\w+_history")


@pytest.fixture
def world(db: None) -> Any:
    with scopes_disabled():
        yield World()


def test_every_address_is_an_act_or_says_why_not() -> None:
    known = set(ACTS) | set(NO_ACTS)
    found = {name for name in names() if not _OTHERS.fullmatch(name) or name in known}
    models = ("pecrequest", "provideroperation", "difference", "providerhealth", "requestbatch")
    nobody_may = {f"admin:pec_requests_{model}_add" for model in models} | {"admin:members_tally_add"}
    assert found - nobody_may - {"admin:audit_logentry_add"} == known


def test_every_act_leaves_an_entry_with_who_and_where_from(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("members.exports._SNAPSHOT", "SELECT 1")  # all of this test is in one transaction
    silent = []
    for name, make in ACTS.items():
        act = make(world)
        client = Client(REMOTE_ADDR="192.0.2.7")
        if act.by:
            client.force_login(act.by)
        url = reverse(name, args=act.arguments)
        data = filled(client, url, act) if "_change" in name or name.endswith("_add") else act.data
        before = LogEntry.objects.count()
        answer = client.get(url) if act.get else client.post(url, data)
        if answer.streaming:
            list(answer.streaming_content)  # type: ignore[attr-defined]  # as it says
        act.then()
        written = list(LogEntry.objects.order_by("id")[before:])
        if answer.status_code not in (200, 302) or not any(known(entry, act) for entry in written):
            silent.append(f"{name}: {answer.status_code}, {[(e.action, e.actor_id, e.ip) for e in written]}")
        silent += [f"{name}: no words for {e.action}" for e in written if e.action not in words.actions()]
    assert not silent, "\n".join(silent)


def known(entry: LogEntry, act: Act) -> bool:
    """Whoever comes in is told apart from the moment of coming in."""
    right_ip = entry.ip in ("192.0.2.7", "127.0.0.1" if act.then.__module__ == __name__ else "")
    return right_ip and (entry.actor_id == act.by.pk if act.by else True)


def filled(client: Client, url: str, act: Act) -> dict[str, Any]:
    """What the form of an admin's page would send as it is, with what the act changes."""
    page = client.get(url)
    if not page.context or "adminform" not in page.context:
        return act.data
    sets = [inline.formset for inline in page.context["inline_admin_formsets"]]
    forms = [page.context["adminform"].form, *(f for s in sets for f in [s.management_form, *s.forms])]
    values = {bound.html_name: bound.value() for form in forms for bound in form}
    kept = {name: value for name, value in values.items() if value is not False and value not in (None, "")}
    return kept | act.data


def test_a_new_password_and_what_fails_are_in_the_log(world: World) -> None:
    member, worker = world.member(), staff(world.ordine)
    client = Client(REMOTE_ADDR="192.0.2.7")
    access.invite(member, STAFF)
    found = re.search(r"/invito/([\w-]+)/", Email.objects.filter(to=member.personal_email).latest("id").message)
    assert found
    client.get(f"/invito/{found[1]}/", follow=True)
    client.post("/nuova-password/", {"password": "Nuovissima-9x", "again": "Nuovissima-9x"})
    assert {"access.password_set", "access.login"} <= {e.action for e in LogEntry.objects.filter(person=member.pk)}
    client.post("/utente/scheda-anagrafica/email/", {"email": "x@example.com", "password": "sbagliata"})
    for login in (member.tax_code, worker.username, "nessuno@example.com"):
        Client(REMOTE_ADDR="192.0.2.8").post("/accedi/", {"login": login, "password": "sbagliata"})
    assert LogEntry.objects.get(action="access.proof_failed").actor_id == member.user_id
    failed = LogEntry.objects.filter(action="access.login_failed", ip="192.0.2.8").order_by("id")
    of_member, of_staff, of_nobody = failed.values_list("object_type", "object_id", "ordine")
    assert of_member == ("members.member", member.pk, world.ordine.code)
    assert of_staff == ("members.user", worker.pk, world.ordine.code)
    assert of_nobody == ("", None, "")
    Client().post("/accedi/", {"login": worker.username, "password": PASSWORD})
    assert LogEntry.objects.get(action="access.login", actor_id=worker.pk).ordine == world.ordine.code


def test_what_a_provider_did_too_late_is_in_the_log(world: World) -> None:
    """Every effect at the provider has its entry, also where the request has gone on without it."""
    pec = world.pec()
    operation = ProviderOperation.objects.select_related("request__member__ordine").get(request=pec)
    lifecycle.decide([pec.pk], "cancel", STAFF, reason="x")
    operation.request.refresh_from_db()
    lifecycle.confirm([operation], STAFF)
    assert LogEntry.objects.get(action="operation.done").object_id == pec.pk


# --- Words ------------------------------------------------------------------------------------------------------------
_WRITERS = {"record", "entry", "_record", "record_rows", "record_many"}
_ACTION = re.compile(r"[a-z_]+(\.[a-z_]+)+")


def written_in_code() -> set[str]:
    """Every action that the code names: what calls of the log's functions begin with, constants among them."""
    found: set[str] = set()
    for app in ("audit", "members", "pec_requests", "albo_pec"):
        for path in (ROOT / app).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args):
                name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
                if name in _WRITERS:
                    found |= {
                        node.value
                        for node in ast.walk(call.args[0])
                        if isinstance(node, ast.Constant)
                        and isinstance(node.value, str)
                        and _ACTION.fullmatch(node.value)
                    }
    return found


def test_every_action_in_the_code_has_words(db: None) -> None:
    acts = {move.act for move in MOVES}
    composed = {f"pec.{act}" for act in acts} | {
        f"pec.{m.act}.decided" for m in MOVES if m.operation and m.act != "create"
    }
    written = written_in_code()
    assert len(written) > 40 and "access.login" in written and "pec.reset.sent" in written
    assert {action.partition(".")[0] for action in words.actions()} <= FAMILIES.keys(), (
        "a kind in members/log_filters.py"
    )
    asked_of_provider = {f"pec.{m.act}.decided" for m in MOVES if str(m.who) == "worker"}
    assert (written | composed) - asked_of_provider - set(words.actions()) - {"demo.seeded"} == set()
