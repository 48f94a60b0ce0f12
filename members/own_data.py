"""Everything the portal holds about one member, for the member (articles 15 and 20 of the GDPR).

What there is, is found by the relations of the models, not listed: rows that refer to the member or to the account, and
rows that refer to those. So a table that is made later is in it from its first day. Left out are secrets, which are of
use to nobody but a thief, and what is only made of the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.apps import apps
from django.db.models import Field, Model
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_scopes import scopes_disabled
from post_office.models import Email

from audit import log, words
from audit.actors import Actor
from audit.models import LogEntry
from members import history
from members.identification import every_member
from members.models import Member, Term, User

_SECRET = {"password", "digest", "session_hash", "session_key", "session_data", "data", "claim", "claimed_by", "who"}
_DERIVED = {"search_key", "sort", "id", "pk", "public_id", "object_id"}
# The log has a form of its own here; the admin's is about what staff did to others.
_NOT_FOLLOWED: tuple[type[Model], ...] = (LogEntry, Term, apps.get_model("admin", "LogEntry"))
# Whoever also works in an office takes along nothing about those they have looked as.
_ABOUT_OTHERS = {"members.SupportView.user"}
_EMPTY = "–"
_NARROW = 4
# What the tables are called by whom they are about; the others have the name that the office reads.
TITLES: dict[str, str | Promise] = {
    "members.member": gettext_lazy("La tua scheda"),
    "members.user": gettext_lazy("Il tuo account"),
    "members.session": gettext_lazy("Accessi aperti"),
    "members.knowndevice": gettext_lazy("Dispositivi da cui sei entrato"),
    "members.tally": gettext_lazy("Tentativi di accesso"),
}
# What fields are called that the office never sees, or that come with a library.
LABELS: dict[str, str | Promise] = {
    "act": gettext_lazy("avviso"),
    "alarm_at": gettext_lazy("segnalato il"),
    "applied_at": gettext_lazy("in vigore dal"),
    "at": gettext_lazy("il"),
    "batch": gettext_lazy("richiesta in blocco"),
    "began_at": gettext_lazy("iniziato il"),
    "attempts": gettext_lazy("tentativi"),
    "confirmed_at": gettext_lazy("confermato il"),
    "created_at": gettext_lazy("creato il"),
    "dropped": gettext_lazy("perché ritirato"),
    "dropped_at": gettext_lazy("ritirato il"),
    "ended_at": gettext_lazy("finito il"),
    "expires_at": gettext_lazy("scade il"),
    "ip": gettext_lazy("indirizzo IP"),
    "kind": gettext_lazy("genere"),
    "expire_date": gettext_lazy("scade il"),
    "forget_at": gettext_lazy("si dimentica il"),
    "seen": gettext_lazy("pagine viste"),
    "seen_at": gettext_lazy("visto l'ultima volta"),
    "used_at": gettext_lazy("usato l'ultima volta"),
    "last_seen_at": gettext_lazy("visto l'ultima volta"),
    "last_used_at": gettext_lazy("usato l'ultima volta"),
    "look_first": gettext_lazy("da controllare prima"),
    "needs_staff": gettext_lazy("da verificare"),
    "ordine": gettext_lazy("Ordine"),
    "old_email": gettext_lazy("e-mail di prima"),
    "refused_field": gettext_lazy("dato rifiutato dal gestore"),
    "reminded": gettext_lazy("ultimo promemoria"),
    "request": gettext_lazy("richiesta"),
    "reserved_at": gettext_lazy("riservato il"),
    "told_email": gettext_lazy("indirizzo avvisato"),
    "type": gettext_lazy("tipo"),
    "until": gettext_lazy("fino al"),
    "user_agent": gettext_lazy("browser"),
    "verdict": gettext_lazy("esito della verifica"),
    "what": gettext_lazy("di che cosa"),
}


@dataclass
class Table:
    """Rows of one kind: ``columns`` are the names and what people call them, ``rows`` the values by name."""

    name: str
    title: str
    columns: dict[str, str] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_narrow(self) -> bool:
        """Whether its rows fit beside one another on a telephone, and there are some to compare."""
        return len(self.columns) <= _NARROW and len(self.rows) > 1

    @property
    def sheets(self) -> list[list[tuple[str, str]]]:
        """Each row by itself: what each value is called, and the value; of what is empty nothing."""
        named = [zip(self.columns.values(), row, strict=True) for row in self.cells]
        return [[(label, value) for label, value in row if value != _EMPTY] for row in named]

    @property
    def cells(self) -> list[list[str]]:
        """The values as people read them."""
        return [[_shown(row[name]) for name in self.columns] for row in self.rows]


def collect(member: Member) -> list[Table]:
    """All tables with something about this member."""
    with scopes_disabled():
        found = _follow(member)
        tables = [_table(model, rows) for model, rows in found.items()]
        return [*tables, _mails(member), _log(member)]


def as_json(member: Member, tables: Iterable[Table]) -> dict[str, Any]:
    """For programs: every table by its name, values as they are kept."""
    return {
        "member": member.tax_code,
        "made_at": timezone.now(),
        "tables": {table.name: {"title": table.title, "rows": table.rows} for table in tables},
    }


def note(member: Member, form: str, actor: Actor) -> None:
    """That the member has taken them."""
    log.record("member.data_taken", actor, member, person=member.pk, ordine=member.ordine.code, form=form.upper())


def models_followed() -> set[type[Model]]:
    """Every model that rows are looked for in."""
    known: set[type[Model]] = {Member, User}
    new = list(known)
    while new:
        new = [related for model in new for related, _field in _referring(model) if related not in known]
        known.update(new)
    return known


def label(column: Field[Any, Any]) -> str:
    """What people call a column."""
    named = str(column.verbose_name)
    return capfirst(str(LABELS[column.name]) if column.name in LABELS and _unnamed(column) else named)


def _unnamed(column: Field[Any, Any]) -> bool:
    """Nobody has given it a name: Django makes one of the field's own."""
    ours = column.model.__module__.startswith(("members", "pec_requests"))
    return not ours or not isinstance(column.verbose_name, Promise)


def columns_of(model: type[Model]) -> list[Field[Any, Any]]:
    """What is told of a row: neither secrets, nor whose it is, nor what is made of the rest."""
    hidden = _SECRET | _DERIVED
    return [
        column
        for column in model._meta.concrete_fields
        if column.name not in hidden and column.related_model not in (Member, User)
    ]


# --- The pieces -------------------------------------------------------------------------------------------------------
def _referring(model: type[Model]) -> list[tuple[type[Model], str]]:
    """The models that refer to this one, and by which field."""
    relations = [r for r in model._meta.get_fields(include_hidden=True) if r.auto_created and not r.concrete]
    return [
        (relation.related_model, relation.field.name)  # type: ignore[misc,union-attr]  # relations have both
        for relation in relations
        if (relation.one_to_many or relation.one_to_one)
        and relation.related_model not in _NOT_FOLLOWED
        and str(relation.field) not in _ABOUT_OTHERS  # type: ignore[union-attr]  # relations have one
        and not relation.related_model._meta.auto_created  # type: ignore[union-attr]  # groups, which nobody has here
    ]


def _follow(member: Member) -> dict[type[Model], dict[Any, Model]]:
    """Rows by model and primary key, from the member and the account on."""
    found: dict[type[Model], dict[Any, Model]] = {Member: {member.pk: member}}
    if member.user:
        found[User] = {member.user.pk: member.user}
    waiting = list(found.items())
    while waiting:
        model, rows = waiting.pop(0)
        for related, name in _referring(model):
            known = found.setdefault(related, {})
            more = related._base_manager.filter(**{f"{name}__in": list(rows)}).exclude(pk__in=list(known))
            if new := {row.pk: row for row in more.order_by("pk")}:
                known.update(new)
                waiting.append((related, new))
    return {model: rows for model, rows in found.items() if rows}


def _table(model: type[Model], rows: dict[Any, Model]) -> Table:
    columns = columns_of(model)
    name = model._meta.label_lower
    table = Table(name, str(TITLES.get(name) or capfirst(str(model._meta.verbose_name_plural))))
    table.columns = {column.name: label(column) for column in columns}
    table.rows = [{column.name: _value(row, column) for column in columns} for row in rows.values()]
    return table


def _value(row: Model, column: Field[Any, Any]) -> Any:
    value = getattr(row, column.name)
    if isinstance(value, Model):
        return str(value)
    display = getattr(row, f"get_{column.name}_display", None)
    return str(display()) if display and value not in (None, "") else value


def _mails(member: Member) -> Table:
    """What was sent to the present personal e-mail; where somebody else has it too, nobody can tell whose it is."""
    columns = {"created": capfirst(_("quando")), "subject": _("Oggetto")}
    table = Table("mails", _("Messaggi spediti dal portale"), columns)
    email = member.personal_email
    if email and every_member().filter(personal_email__iexact=email).count() == 1:
        table.rows = list(Email.objects.filter(to=email).order_by("id").values(*columns))
    return table


def _log(member: Member) -> Table:
    """What was done, and by whom: the member by name, of others only on whose side they are."""
    columns = {"at": capfirst(_("quando")), "who": capfirst(_("chi")), "ip": _("Indirizzo IP"), "what": _("Che cosa")}
    table = Table("log", _("Registro delle attività"), columns)
    for entry in history.entries(member.pk).iterator():
        own = entry.actor_id is not None and entry.actor_id == member.user_id
        table.rows.append(
            {
                "at": entry.at,
                "who": member.full_name if own else _("Segreteria") if entry.actor_id else _("Portale o visitatore"),
                "ip": entry.ip if own else None,
                "what": words.sentence(entry.action, entry.detail),
            }
        )
    return table


def _shown(value: Any) -> str:
    if value is None or value == "":
        return _EMPTY
    if isinstance(value, bool):
        return _("sì") if value else _("no")
    if isinstance(value, list):
        return ", ".join(map(str, value)) or _EMPTY
    if isinstance(value, datetime):
        return date_format(timezone.localtime(value), "d/m/Y H:i:s")
    return date_format(value, "d/m/Y") if isinstance(value, date) else str(value)
