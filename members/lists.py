"""The office's lists: Django's change list, read by key, and how members are searched and filtered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.core.exceptions import BadRequest
from django.db.models import BooleanField, Model, Q, QuerySet, TextChoices
from django.db.models.expressions import RawSQL
from django.db.models.functions import Collate
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.formats import number_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_scopes import get_scope

from members.exports import PAGE, ExportAdmin
from members.keyset import COUNTED, Condition, Count, Listing, Page, Position, Source, prefixed, rows_of
from members.models import Enrolment, Member, Ordine, Term
from members.names import fold
from members.table_files import Row

_LAST = "ultima"
_PLACE = re.compile(r"(dopo|prima)-(.+)", re.ASCII)
# Omocodia puts letters where one expects digits.
_TAX_CODE_BEGINS = re.compile(r"[A-Z][A-Z0-9]{0,15}", re.IGNORECASE | re.ASCII)
_LONGEST_ID = 19
# More words than a name has make no search, only work.
_MOST_WORDS = 8


def ordini_in_scope() -> list[int]:
    """The Ordini whose rows the present request sees."""
    scope = get_scope()
    if scope.get("_enabled", True):
        return list(scope["ordine"])
    return list(Ordine.objects.order_by().values_list("pk", flat=True))


class KeysetChangeList(ChangeList):
    """A change list without numbers of pages: first, previous, next, last."""

    def get_results(self, request: HttpRequest) -> None:
        self._request = request
        office: Any = self.model_admin
        conditions = [*self._filters(), *office.search_conditions(self.query)]
        self.listing = Listing(
            self.model,
            self._ordini(),
            office.everything(),
            conditions,
            newest_first=office.newest_first,
            by_code=office.by_code,
        )
        self.page = self._page(self.listing, request.GET.get(PAGE_VAR, ""))
        self.result_list = self.rows_of(self.page.positions)
        # Where hardly a row is wanted, enough have been looked at for the page.
        self.count = Count(len(self.result_list), more=True) if self.page.unfinished else self.listing.count()
        if not self.page.before and not self.page.after:
            self.count = Count(len(self.result_list), more=False)
        self.result_count = max(self.count.number, len(self.result_list))
        # Beside the search box it is told how many there are only where something was asked for.
        asked = self.query or self.has_active_filters
        self.show_full_result_count, self.full_result_count = False, None if asked else self.result_count
        self.show_admin_actions = bool(self.result_list)
        self.can_show_all = self.multi_page = False
        self.paginator = None

    def _filters(self) -> Iterator[Condition]:
        for spec in self.filter_specs:
            if isinstance(spec, ListFilter) and (condition := spec.condition()):
                yield condition

    def _ordini(self) -> list[Any]:
        chosen = (spec.chosen() for spec in self.filter_specs if isinstance(spec, OrdineFilter))
        office: Any = self.model_admin
        return next((ordini for ordini in chosen if ordini), None) or office.ordini(self._request)

    def _page(self, listing: Listing, asked: str) -> Page:
        size = self.list_per_page
        if asked == _LAST:
            return listing.last(size)
        place = _PLACE.fullmatch(asked)
        position = Position.parse(place[2]) if place else None
        if place is None or position is None or not listing.knows(position):
            return listing.page(size)
        return listing.page(size, before=position) if place[1] == "prima" else listing.page(size, after=position)

    def rows_of(self, positions: Sequence[Position]) -> list[Model]:
        """The rows that stand there, as whoever looks may see them, in this order."""
        where: dict[str, dict[int, int]] = {}
        for place, position in enumerate(positions):
            where.setdefault(self.listing.finds(position), {}).setdefault(position.pk, place)
        found = Q(pk__in=[])
        for column, places in where.items():
            found |= Q(**{f"{column}__in": list(places)})
        rows = self.queryset.filter(found).order_by("-pk")

        def place_of(row: Any) -> int:
            return min(
                places[getattr(row, column)] for column, places in where.items() if getattr(row, column) in places
            )

        return sorted(rows, key=place_of)

    @property
    def count_words(self) -> str:
        """How many rows, as people say it."""
        if not self.count.more:
            return str(self.result_count)
        if self.result_count > COUNTED:
            return _("più di %(count)s") % {"count": number_format(COUNTED, use_l10n=True, force_grouping=True)}
        return (_("almeno %(count)s") if self.result_count else _("finora %(count)s")) % {"count": self.result_count}

    @property
    def is_paged(self) -> bool:
        return bool(self.page.before or self.page.after)

    @property
    def first_url(self) -> str:
        return self.get_query_string() if self.page.before else ""

    @property
    def previous_url(self) -> str:
        return self._url(f"prima-{self.page.before}") if self.page.before else ""

    @property
    def next_url(self) -> str:
        return self._url(f"dopo-{self.page.after}") if self.page.after else ""

    @property
    def last_url(self) -> str:
        return self._url(_LAST) if self.page.after else ""

    def _url(self, place: str) -> str:
        return str(self.get_query_string({PAGE_VAR: place}))


class ListFilter(admin.SimpleListFilter):
    """A filter that says where to read what it leaves from."""

    def condition(self) -> Condition | None:
        """What the chosen value asks for; None where none is chosen."""
        raise NotImplementedError

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        condition = self.condition()
        return queryset.filter(condition.q) if condition else queryset


class OrdineFilter(ListFilter):
    """One of several Ordini: the list is then read as its staff read it."""

    title = gettext_lazy("Ordine")
    parameter_name = "ordine"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        ordini = ordini_in_scope()
        if len(ordini) < 2:
            return []
        rows = Ordine.objects.filter(pk__in=ordini).values_list("pk", "short_name")
        return [(str(pk), name) for pk, name in rows.order_by("short_name")]

    def chosen(self) -> list[Any]:
        """The Ordine, where one of those on offer is chosen."""
        return [int(pk) for pk, _name in self.lookup_choices if pk == self.value()]

    def condition(self) -> Condition | None:
        return None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(ordine__in=self.chosen()) if self.chosen() else queryset


class ColumnFilter(ListFilter):
    """By a column of the list's own rows, with an index on it that goes on in the order of the list."""

    field_name: str
    choices_of: type[TextChoices]
    keys: tuple[str, ...] = ()

    def __init__(self, request: HttpRequest, params: Any, model: type[Model], model_admin: Any) -> None:
        self._model = model
        super().__init__(request, params, model, model_admin)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(self.choices_of.choices)

    def condition(self) -> Condition | None:
        return self.equal(self.value()) if self.value() in self.choices_of.values else None

    def equal(self, value: Any) -> Condition:
        """Rows that have this in the column."""
        q = Q(**{self.field_name: value})
        return Condition(q, (Source(rows_of(self._model).filter(q), self.keys),))


class ListAdmin(ExportAdmin):
    """For the lists that may have a million rows: only orders, filters and searches that an index answers."""

    newest_first = False
    ordine_filter: type[ListFilter] = OrdineFilter
    by_code = False  # whether ``ordini`` are codes: see ``keyset.Listing``
    list_per_page = 50
    show_full_result_count = False
    # To count what each choice of each filter would leave is to read the whole list many times over.
    show_facets = admin.ShowFacets.NEVER
    # One order, which every index of the list has.
    sortable_by = ()

    def get_list_filter(self, request: HttpRequest) -> Any:
        return (self.ordine_filter, *super().get_list_filter(request))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return KeysetChangeList

    def export_rows(self, request: HttpRequest, changelist: Any) -> Iterator[Row]:
        for positions in changelist.listing.walk(PAGE):
            yield from self.export_objects(request, changelist.rows_of(positions))

    def ordini(self, request: HttpRequest) -> list[Any]:
        """Of which Ordini the list is."""
        return ordini_in_scope()

    def everything(self) -> Source:
        """Where the list is read from when nothing is asked for."""
        raise NotImplementedError

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Only the filters on offer: for any other no index would be at hand."""
        choices: Any = self.get_list_filter(request)
        return lookup in {choice.parameter_name for choice in choices}

    def search_conditions(self, query: str) -> list[Condition]:
        """One for each word: all must be met."""
        words = query.replace("\0", "").split()[:_MOST_WORDS]
        return _together([condition for word in words for condition in self.word_conditions(word)])

    def word_conditions(self, word: str) -> list[Condition]:
        raise NotImplementedError

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        for condition in self.search_conditions(search_term):
            queryset = queryset.filter(condition.q)
        return queryset, False

    def response_action(  # type: ignore[override]  # the stubs are of a newer Django
        self, request: HttpRequest, queryset: QuerySet[Any]
    ) -> Any:
        """Ticked are rows of the page: what is no id was never there, and Django would fail over it."""
        if not all(
            ticked.isdecimal() and len(ticked) < _LONGEST_ID for ticked in request.POST.getlist(ACTION_CHECKBOX_NAME)
        ):
            raise BadRequest("not an id")
        return super().response_action(request, queryset)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        extra = {
            # Named after what it lists, which is not only to be changed.
            "title": capfirst(self.opts.verbose_name_plural),
            # The whole list is said in words: its rows are not all counted.
            "selection_note_all": _("Selezionate tutte le righe dell'elenco"),
        }
        return super().changelist_view(request, extra | (extra_context or {}))

    def listed(self, request: HttpRequest, query: str) -> QuerySet[Any]:
        """All rows of the list that this query string asks for, on all its pages."""
        rows: QuerySet[Any] = self._list_for(request, query).queryset
        return rows

    def in_words(self, request: HttpRequest, query: str) -> str:
        """What this query string asks for, as people say it; empty where it asks for everything."""
        found = self._list_for(request, query)
        words = [f"«{found.query}»"] if found.query else []
        for spec in found.filter_specs:
            if isinstance(spec, ListFilter) and (chosen := spec.value()):
                names = {str(value): str(name) for value, name in spec.lookup_choices}
                words.append(f"{spec.title}: {names.get(chosen, chosen)}")
        return ", ".join(words)

    def _list_for(self, request: HttpRequest, query: str) -> ChangeList:
        asked = HttpRequest()
        asked.GET, asked.META, asked.user = QueryDict(query), request.META, request.user
        asked._messages = request._messages  # type: ignore[attr-defined]  # where a refused search is told
        try:
            return self.get_changelist_instance(asked)
        except IncorrectLookupParameters as error:
            raise BadRequest from error


def member_word(word: str, prefix: str = "") -> Iterator[Condition]:
    """A word that somebody looks for a member by: the beginning of a name or codice fiscale, or a number.

    ``prefix`` leads from the rows of the list to the member.
    """
    finds = "member_id" if prefix else "pk"
    if not any(letter.isdigit() for letter in word):
        for part in fold(word).split():
            yield _name(part, prefix, finds)
        return
    q, sources = Q(), []
    if _TAX_CODE_BEGINS.fullmatch(word):
        q |= Q(**{f"{prefix}tax_code__startswith": word.upper()})
        sources.append(_by_tax_code(word, finds))
    enrolled = Enrolment.objects.filter(number=word).values("member")
    q |= Q(**{f"{prefix}pk__in": enrolled})
    # Found first, as an array: so few have a number that no statistics may lead to another way.
    numbered = RawSQL(
        '"members_member"."id" = ANY (ARRAY(SELECT member_id FROM members_enrolment WHERE number = %s))',
        (word,),
        output_field=BooleanField(),
    )
    rows = rows_of(Member).filter(numbered)
    if sources:
        rows = rows.exclude(tax_code__startswith=word.upper())
    sources.append(Source(rows, ("search_key",), finds=finds, rank=3))
    yield Condition(q, tuple(sources))


@dataclass(frozen=True)
class Name(Condition):
    """A beginning of one of somebody's names."""

    part: str = ""
    prefix: str = ""
    finds: str = "pk"


def _name(part: str, prefix: str, finds: str) -> Name:
    """First those whose surname begins so, then those of whom another word does, then codici fiscali."""
    q = Q(**{f"{prefix}search_key__contains": f" {part}"})
    surnames = Source(rows_of(Member).filter(prefixed("search_key", f" {part}")), ("search_key",), finds=finds)
    words = _terms(part).exclude(sort__startswith=f" {part}")
    sources = [surnames, Source(words, ("term", "sort"), "member_id", finds, rank=1)]
    if _TAX_CODE_BEGINS.fullmatch(part):
        q |= Q(**{f"{prefix}tax_code__startswith": part.upper()})
        codes = _by_tax_code(part, finds)
        sources.append(replace(codes, rows=codes.rows.exclude(search_key__contains=f" {part}")))
    return Name(q, tuple(sources), part, prefix, finds)


def _together(conditions: list[Condition]) -> list[Condition]:
    """Two names are looked up at once: of all that have the one, hardly any may have the other."""
    names = [condition for condition in conditions if isinstance(condition, Name)]
    others = [condition for condition in conditions if not isinstance(condition, Name)]
    # Who has "maria" has "mar".
    longest = {
        name.part: name
        for name in names
        if not any(other.part != name.part and other.part.startswith(name.part) for other in names)
    }
    if len(longest) < 2:
        return [*longest.values(), *others]
    one, other, *more = longest.values()
    return [_both(one, other), *more, *others]


def _both(one: Name, other: Name) -> Condition:
    """First those whose surname begins with the one, then with the other; then those who have both after it."""
    surname_one, surname_other = prefixed("sort", f" {one.part}"), prefixed("sort", f" {other.part}")
    after = Q(sort__contains=f" {other.part}")
    q = Q(**{f"{one.prefix}search_key__contains": f" {one.part}"})
    q &= Q(**{f"{one.prefix}search_key__contains": f" {other.part}"})
    found = (
        (_terms(other.part).filter(surname_one), None),
        (_terms(one.part).filter(surname_other), None),
        (_terms(one.part).exclude(surname_one).exclude(surname_other), after),
    )
    keys = ("term", "sort")
    return Condition(
        q, tuple(Source(rows, keys, "member_id", one.finds, rank, only) for rank, (rows, only) in enumerate(found))
    )


def _terms(part: str) -> QuerySet[Term]:
    """The words after the surname's first that begin so: of each member one."""
    least = RawSQL(
        '(SELECT min(word) FROM members_words("members_term"."sort") AS word WHERE word >= %s AND word < %s)'
        ' = "members_term"."term"',
        (part, part + "\x7f"),
        output_field=BooleanField(),
    )
    return rows_of(Term).filter(prefixed("term", part)).filter(least)


def _by_tax_code(word: str, finds: str) -> Source:
    column = Collate("tax_code", "C")
    rows = rows_of(Member).annotate(code=column).filter(prefixed("code", word.upper()))
    return Source(rows, ("code",), finds=finds, rank=2)


def by_term(q: Q, term: str) -> Condition:
    """Members who have a term that is no word."""
    return Condition(q, (Source(rows_of(Term).filter(term=f"={term}"), ("sort",), "member_id"),))
