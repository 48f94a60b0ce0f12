"""Queries beyond one's own Ordine: an error by themselves, and on a list with reasons where the code asks for them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import Model
from django_scopes import scope, scopes_disabled
from django_scopes.exceptions import ScopeError

from members.models import Member, StaffRole
from tests.factories import MemberFactory, staff

ROOT = Path(__file__).resolve().parent.parent
APPS = ("albo_pec", "audit", "members", "pec_requests")
# How a query comes to leave its scope, or to know none: functions by their names, and what is asked of an object.
UNSCOPED = ({"scopes_disabled", "rows_of"}, {"scopes_disabled", "with_scopes_disabled", "with_scope", "_base_manager"})
BY_HAND = ({"RawSQL", "rows_by_hand"}, {"cursor", "raw", "RawSQL", "rows_by_hand"})

# Reviewed: why a function may look beyond the scope. A new one is to be thought about, and to stand here.
EVERYWHERE = {
    # By these it is found out who asks, and which scope there will be.
    "members/models.py": "User.record User.works_in_office",
    "members/current.py": "only_where",
    "members/identification.py": "every_role every_member",  # the doors, and a codice fiscale, which is unique for all
    "members/middleware.py": "_open",  # the federation
    "members/support.py": "_every_view",
    "members/exports.py": "_present_scope",  # the scope that there was, again
    # By a secret, whose owner need not be signed in.
    "members/contacts.py": "_every_wish",
    "pec_requests/recovery.py": "inspect confirm",
    "pec_requests/recovery_alarms.py": "inspect stop",
    # All that refers to one member, who takes it along.
    "members/own_data.py": "collect _follow",
    # Read below the rows of a scope, or by Ordine: see ``keyset.rows_of``.
    "members/keyset.py": "rows_of Listing.count Listing._checks",
    "members/lists.py": "ColumnFilter.equal member_word _name _terms _by_tax_code by_term",
    "members/filters.py": "_column",
    "members/admin.py": "MemberAdmin.get_queryset",
    "pec_requests/admin/mailboxes.py": "_by_address",
    "pec_requests/admin/members.py": "_in_status MemberWithPecAdmin.get_queryset",
    "pec_requests/admin/operations.py": "ProviderOperationAdmin.word_conditions",
    "pec_requests/admin/requests.py": "PecRequestAdmin.get_queryset",
    "pec_requests/eligibility.py": "Rules.refusals",
    # Workers and commands, which serve all Ordini.
    "members/import_runs.py": "every_run",
    "members/import_working.py": "carry_out",
    "pec_requests/batches.py": "carry_out_waiting standing untried",
    "pec_requests/digests.py": "send_due",
    "pec_requests/engine.py": "run",
    "pec_requests/figures.py": "text",
    "pec_requests/forgetting.py": "forget_all",
    "pec_requests/management/commands/forget.py": "Command.handle",
    "pec_requests/notices.py": "write",
    "pec_requests/reconcile.py": "run",
    "pec_requests/register.py": "follow",
    "pec_requests/management/commands/reconcile.py": "Command.handle",
}
# SQL by hand, which knows no scope: about what the caller has found in one, or what belongs to no Ordine.
WRITTEN_BY_HAND = {
    "albo_pec/checks.py": "check_database_role",
    "albo_pec/views.py": "_database",  # whether it answers
    "audit/log.py": "record_many record_rows sentences_about",  # inserts; what is said of an object at hand
    "audit/sealing.py": "seal",
    # Commands about the whole log, and about the rights of a role.
    "audit/retention.py": "retire check_clocks _database_time",
    "audit/verifying.py": "_entries",
    "albo_pec/database_rights.py": "grant make_role _exists _require_fit",
    "members/contacts.py": "pending",  # of one member
    "members/by_hand.py": "rows_by_hand",  # for those who name it, who are here, too
    "members/current.py": "signed_in roles_of",  # who it is, and which scope there will be
    "members/session_store.py": "SessionStore._get_session_from_db",  # an account's, by a secret
    "members/support.py": "past",  # of one member
    "members/gateway_session.py": "_read",  # no query: the raw bytes of a gateway's answer
    # Locks and the moment that a file is of.
    "members/exports.py": "ExportAdmin._read",
    "members/mail.py": "drain",
    "members/staffing.py": "_one_at_a_time",
    "members/throttle.py": "_count",  # of accounts and callers
    "pec_requests/addresses.py": "reserve",  # no address is two people's, wherever they are
    "pec_requests/shares.py": "_deal",
    # One import, of one Ordine, which is in each statement; a person of another is told apart there.
    "members/importing.py": "import_table _lock _tell",
    "members/import_staging.py": "stage",
    "members/import_writing.py": "lock_touched write",
    "members/import_comparing.py": "compare compare_again _compare",
    "members/import_preview.py": "Preview.write",
    "members/import_pecs.py": "_stage _compare _carry_out",
    # Parts of queries: of a ``Listing``, by Ordine; of rows by primary key.
    "members/keyset.py": "Listing._part _fetch",
    "members/lists.py": "member_word _terms",
    "members/sets.py": "among",
    "pec_requests/admin/mailboxes.py": "_by_address",
    # Of requests at hand, and of one member.
    "pec_requests/lifecycle.py": "_request_some",
    "pec_requests/operations.py": "claim enqueue_for",
    "pec_requests/notices.py": "moved refused",
    "pec_requests/wording.py": "requests_of newest",
    # Workers, for all Ordini.
    "pec_requests/reconcile.py": "_alone _notebook _note _now _walk _suspects",
    "pec_requests/reminders.py": "remind",
}
# What no scope keeps apart, and why.
OF_NO_ORDINE = {
    "members.Ordine": "the Ordini themselves",
    "members.Albo": "national",
    "members.User": "a person, who may be of several Ordini",
    "members.AccessLink": "an account's",
    "members.User_groups": "empty: Django's groups are not read",
    "members.User_user_permissions": "empty: Django's single permissions are not read",
    "members.Session": "an account's",
    "members.KnownDevice": "an account's",
    "members.Tally": "an account's, or a caller's",
    "pec_requests.PecDomain": "national; which Ordini may use it is no secret",
    "pec_requests.PecDomain_ordini": "national; which Ordini may use it is no secret",
    "pec_requests.ReservedAddress": "used up for everybody, whoever had it",
    "pec_requests.ProviderHealth": "of the provider",
    "pec_requests.WorkerShare": "of the workers",
}


Wanted = tuple[set[str], set[str]]


def uses(path: Path, wanted: Wanted) -> Iterator[str]:
    """The functions of a file in which one of these is named."""
    functions, attributes = wanted

    def visit(node: ast.AST, where: tuple[str, ...]) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            inner = (*where, child.name) if isinstance(child, ast.FunctionDef | ast.ClassDef) else where
            by_name = isinstance(child, ast.Name) and child.id in functions
            if by_name or (isinstance(child, ast.Attribute) and child.attr in attributes):
                yield ".".join(where) or "<module>"
            yield from visit(child, inner)

    yield from visit(ast.parse(path.read_text(encoding="utf-8")), ())


def listed(wanted: Wanted) -> dict[str, set[str]]:
    found = {}
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            names = set() if "migrations" in path.parts else set(uses(path, wanted))
            if names:
                found[str(path.relative_to(ROOT))] = names
    return found


@pytest.mark.parametrize(("wanted", "reviewed"), [(UNSCOPED, EVERYWHERE), (BY_HAND, WRITTEN_BY_HAND)])
def test_nothing_leaves_its_scope_but_what_was_reviewed(wanted: Wanted, reviewed: dict[str, str]) -> None:
    assert listed(wanted) == {file: set(functions.split()) for file, functions in reviewed.items()}


def test_the_list_notices_what_is_new(tmp_path: Path) -> None:
    file = tmp_path / "new.py"
    file.write_text("class A:\n    def f(self):\n        with scopes_disabled():\n            x = M._base_manager\n")
    assert set(uses(file, UNSCOPED)) == {"A.f"}


def ours() -> list[type[Model]]:
    return [
        model
        for app in ("members", "pec_requests")
        for model in apps.get_app_config(app).get_models(include_auto_created=True)
    ]


def test_every_model_is_kept_apart_by_ordine() -> None:
    """Whatever is of an Ordine, or hangs on what is, has a manager that asks for a scope."""
    open_ones = {m._meta.label for m in ours() if not hasattr(m._default_manager, "with_scopes_disabled")}
    assert open_ones == set(OF_NO_ORDINE)


@pytest.mark.django_db
def test_without_a_scope_no_query_is_answered() -> None:
    """By none of the ways there are to ask."""
    member = MemberFactory()
    for model in ours():
        if model._meta.label in OF_NO_ORDINE:
            continue
        rows = model._default_manager
        for ask in (list, lambda r: r.exists(), lambda r: r.count(), lambda r: r.first(), lambda r: r.delete()):
            for asked in (rows.get_queryset(), rows.get_queryset().distinct()):
                with pytest.raises(ScopeError):
                    ask(asked)
    with scope(ordine=[member.ordine_id]):
        assert Member.objects.get() == member


@pytest.mark.django_db
def test_in_a_scope_only_its_own_is_there() -> None:
    one, other = MemberFactory(), MemberFactory()
    for member in (one, other):
        staff(member.ordine)
    with scope(ordine=[one.ordine_id]):
        assert list(Member.objects.all()) == [one]
        assert [role.ordine_id for role in StaffRole.objects.all()] == [one.ordine_id]
        assert not Member.objects.filter(pk=other.pk).exists()
    with scope(ordine=[]):
        assert not Member.objects.exists() and not StaffRole.objects.exists()
    with scopes_disabled():
        assert Member.objects.count() == 2
