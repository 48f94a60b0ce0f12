"""Every form of every reader: it takes nothing that it did not ask for, and touches nothing of another Ordine's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection, models
from django.test import Client

from tests.attacks import forms, scene
from tests.attacks.forms import Sheet

pytestmark = pytest.mark.django_db

PLANTED = "piantato-da-fuori"
PLANTED_DAY = "2001-02-03"
Contents = dict[tuple[str, Any], dict[str, Any]]
# What differs between two runs of the same act.
DRAWN = {"id", "at", "digest", "password", "transaction", "key", "public_id", "claim", "message_id", "secret", "data"}


def extras(there: scene.House) -> list[tuple[str, str]]:
    """Every column of every model of ours, by each name a form could have for it, with a value that shows."""
    found: dict[str, str] = {}
    for model in connection.introspection.installed_models(scene.tables()):
        if model._meta.app_label not in scene.OURS:
            continue
        for field in model._meta.concrete_fields:
            value = _value(field, there)
            for name in {field.name, field.attname, f"form-0-{field.name}", f"id_{field.name}"}:
                found.setdefault(name, value)
    return [*found.items(), ("is_superuser", "on"), ("is_staff", "on"), ("user_permissions", "1"), ("groups", "1")]


def _value(field: models.Field[Any, Any], there: scene.House) -> str:
    if isinstance(field, models.ForeignKey):
        of = {"members.Ordine": there.ordine, "members.Member": there.member, "members.User": there.office}
        return str(of.get(field.related_model._meta.label, there.waiting).pk)
    if isinstance(field, models.DateField):
        return PLANTED_DAY
    if isinstance(field, models.BooleanField):
        return "on"
    if isinstance(field, models.IntegerField):
        return "9990001"
    if field.choices:
        return str(field.choices[-1][0])
    return PLANTED


def changes(before: Contents, after: Contents) -> tuple[set[Any], list[str]]:
    """Which columns of which rows are other than they were, and of which tables there are new rows."""
    altered = {
        (*key, column, _plain(column, value))
        for key, row in after.items()
        if key in before
        for column, value in row.items()
        if before[key][column] != value
    }
    return altered | {(*key, "gone") for key in before.keys() - after.keys()}, sorted(
        table for table, _key in after.keys() - before.keys()
    )


def _plain(column: str, value: Any) -> str:
    drawn = column in DRAWN or column.endswith(("_at", "_before", "digest")) or column == "last_login"
    return "" if drawn or isinstance(value, dict) else str(value)


@pytest.mark.slow  # some sixty forms, each sent three times
@pytest.mark.timeout(180)
def test_every_form(built: scene.Scene) -> None:
    reading, wrong = forms.Reading(built), []
    more, others = extras(built.there), exchange(built)
    done, tried = set(), set()
    for who in ("visitor", "waiting", "active", "office", "federation"):
        client = forms.entered(built, who)
        sheets = list(reading.sheets(who, client))
        before = scene.contents()  # and again after each, since all is undone
        for sheet in sheets:
            plain = outcome(client, sheet, before, [])
            planted = outcome(client, sheet, before, [pair for pair in more if pair[0] not in sheet.form.kinds])
            if planted.changes != plain.changes or PLANTED in planted.new or PLANTED_DAY in planted.new:
                wrong.append(f"{sheet}: {plain.changes} became {planted.changes}")
            if any(plain.changes):
                done.add(str(sheet))
            if who in ("waiting", "active", "office"):
                swapped = outcome(client, sheet, before, unasked(built.there), others)
                if swapped.touched & built.there.keys or swapped.shows(built.there):
                    wrong.append(f"{sheet}: reaches {swapped.touched & built.there.keys or 'what is another house'}")
                if swapped.sent[: len(plain.sent)] != plain.sent:
                    tried.add(str(sheet))
    assert not wrong, "\n".join(wrong)
    # Forms that were filled in well enough to do something, and such as have ids in them.
    assert len(done) > 20 and len(tried) >= 4, (sorted(done), sorted(tried))


def exchange(built: scene.Scene) -> dict[str, str]:
    """What stands for something of the house, and what for the same in the other."""
    found = {str(mine.pk): str(built.there.rows[model].pk) for model, mine in built.here.rows.items()}
    for mine, theirs in ((built.here.waiting, built.there.waiting), (built.here.active, built.there.active)):
        found[str(mine.public_id)] = str(theirs.public_id)
        found[mine.member.tax_code] = theirs.member.tax_code
        found[str(mine.member_id)] = str(theirs.member_id)
    return found


def unasked(there: scene.House) -> list[tuple[str, str]]:
    """Ids that no page offers: what the admin's acts take, and what a form could call a member or an Ordine."""
    return [
        *(("_selected_action", str(row.pk)) for row in there.rows.values()),
        *((name, str(there.member.pk)) for name in ("member", "ids", "other", "into", "with")),
        *((name, str(there.ordine.pk)) for name in ("ordine", "ordini", "to")),
    ]


@dataclass
class Outcome:
    """What one form did: ``new`` holds the rows that came to be, as text."""

    sent: list[tuple[str, str]]
    changes: tuple[set[Any], list[str]]
    touched: set[tuple[str, Any]]
    rows: list[dict[str, Any]]
    page: str

    @property
    def new(self) -> str:
        return str(self.rows) + str(self.changes)

    def shows(self, there: scene.House) -> bool:
        words = there.words() - {value for _name, value in self.sent}
        return any(word in self.page for word in words) or any(_theirs(row, there) for row in self.rows)


def outcome(
    client: Client, sheet: Sheet, before: Contents, more: list[tuple[str, str]], others: dict[str, str] | None = None
) -> Outcome:
    sent = [
        (name, ",".join((others or {}).get(part, part) for part in value.split(","))) for name, value in sheet.filled()
    ]
    with forms.undone():
        page = forms.send(client, sheet, sent + more).content.decode()
        after = scene.contents()
    altered = changes(before, after)
    rows = [after[key] for key in after.keys() - before.keys()]
    return Outcome(sent, altered, {key[:2] for key in altered[0]}, rows, page)


def _theirs(row: dict[str, Any], there: scene.House) -> bool:
    """Whether a row that came to be is about the other house."""
    return (
        row.get("ordine_id") == there.ordine.pk
        or row.get("member_id") in (there.waiting.member_id, there.active.member_id)
        or row.get("request_id") in (there.waiting.pk, there.active.pk)
    )


@pytest.mark.django_db(transaction=True)
def test_no_id_in_an_address_shows_another_ordine() -> None:
    """What lists, files and acts of the office take after the question mark. Files are read in a transaction of their
    own, hence none around the test."""
    built = scene.build()
    there, client = built.there, built.client("office")
    asked = [
        {"ids": there.member.pk, "all": ""},
        {"q": "Altrove"},
        {"ordine__id__exact": there.ordine.pk},
        {"ordine": there.ordine.pk, "member": there.member.pk, "pk__in": there.member.pk},
        {"_popup": 1, "_to_field": "password", "_changelist_filters": f"ordine={there.ordine.pk}", "e": 1},
    ]
    wrong, ours = [], {model._meta.model_name for model in built.here.rows} | {"member"}
    for name, address in scene.addresses(built.here).items():
        _app, _underscore, page = name.partition(":")[2].partition("_")
        if page.partition("_")[0] not in ours or not page.endswith(("_changelist", "_export", "_request_pec", "_add")):
            continue
        for parameters in asked:
            answer = client.get(address, parameters)
            text = b"".join(answer.streaming_content) if answer.streaming else answer.content
            if answer.status_code >= 500 or any(word.encode() in text for word in there.words()):
                wrong.append(f"{name}?{','.join(parameters)}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)
