"""Corrections from the member's page: each a page that asks, with what will come of it, and a POST that does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit import log
from audit.actors import Actor
from audit.models import LogEntry
from members import history, reading, tax_codes, throttle
from members.admin import MemberAdmin
from members.current import may, require_permission
from members.models import Enrolment, Member, Ordine
from members.roles import PRINT_SHEET
from pec_requests import corrections, leaving, merging, register, transfers
from pec_requests.admin.acts import ReasonForm, tell
from pec_requests.corrections import CodeTaken, CorrectionRefused
from pec_requests.eligibility import CURRENT
from pec_requests.models import PecRequest

CANCEL = "pec_requests.cancel_enrolment"
TAX_CODE = "pec_requests.correct_tax_code"
MERGE = "pec_requests.merge_members"
TRANSFER = "pec_requests.transfer_member"
# Address and name of the page, permission, label: in the order of the buttons.
PAGES = (
    ("scheda", "sheet", PRINT_SHEET, gettext_lazy("Stampa la scheda")),
    ("codice-fiscale", "tax_code", TAX_CODE, gettext_lazy("Correggi il codice fiscale")),
    ("unione", "merge", MERGE, gettext_lazy("Unisci a un'altra scheda")),
    ("trasferimento", "transfer", TRANSFER, gettext_lazy("Trasferisci a un altro Ordine")),
    ("cancellazione", "leave", CANCEL, gettext_lazy("Cancella dall'albo")),
)
_NO_CORRECTING: dict[str, str] = {"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}


class TaxCodeForm(forms.Form):
    """A codice fiscale, well formed."""

    code = forms.CharField(
        label=gettext_lazy("Codice fiscale"), max_length=40, widget=forms.TextInput(attrs=_NO_CORRECTING)
    )

    def clean_code(self) -> str:
        code = tax_codes.normalise(self.cleaned_data["code"])
        if not tax_codes.is_valid(code):
            raise ValidationError(_("Il codice fiscale non è valido: controlla i 16 caratteri."))
        return code


class TransferForm(forms.Form):
    """To which Ordine."""

    to = forms.ModelChoiceField(Ordine.objects.none(), label=gettext_lazy("Ordine che riceve la scheda"))

    def __init__(self, *args: Any, member: Member, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["to"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101  (tells the type checker)
        field.queryset = Ordine.objects.exclude(pk=member.ordine_id)


class LeaveForm(ReasonForm):
    """Which enrolments end, and when."""

    enrolments = forms.ModelMultipleChoiceField(
        Enrolment.objects.none(),
        label=gettext_lazy("Iscrizioni"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Scegliere almeno un'iscrizione.")},
    )
    on = forms.DateField(
        label=gettext_lazy("Data di cancellazione"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": gettext_lazy("Questa data non esiste.")},
    )
    field_order = ("enrolments", "on", "reason")

    def __init__(self, *args: Any, member: Member, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.current = member.enrolments.filter(status__in=CURRENT).select_related("albo")
        field = self.fields["enrolments"]
        assert isinstance(field, forms.ModelMultipleChoiceField)  # noqa: S101  (tells the type checker)
        field.queryset = member.enrolments.select_related("albo") if self.is_bound else self.current
        self.initial = {"on": timezone.localdate(), "enrolments": list(self.current)}


class CorrectingAdmin(MemberAdmin):
    """The member's pages with the corrections. Only ``MemberWithPecAdmin`` is registered."""

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(f"<int:member_id>/{address}/", self._page(name, permission), name=f"members_member_{name}")
            for address, name, permission, _label in PAGES
        ]
        return own + super().get_urls()

    def _page(self, name: str, permission: str) -> Callable[..., HttpResponse]:
        """The view, for who may, of a member of the scope; anybody else's is 404."""
        view: Callable[[HttpRequest, Member], HttpResponse] = getattr(self, f"{name}_view")

        def page(request: HttpRequest, member_id: int) -> HttpResponse:
            try:
                member = self.own_member(request, member_id)
            except Http404:
                if request.method == "POST" and self._did(request, member_id):
                    tell(request, 0, "")
                    return redirect("admin:members_member_changelist")
                raise
            require_permission(request, permission, member)
            return view(request, member)

        return self.admin_site.admin_view(page)

    def _did(self, request: HttpRequest, member_id: int) -> bool:
        """Whether the same person has just merged this record away or handed it over: the second of two clicks."""
        gone = Q(action=history.MERGED, object_type=Member._meta.label_lower, object_id=member_id)
        given = Q(action="member.handed_over", person=member_id)
        return LogEntry.objects.filter(gone | given, actor_id=request.user.pk).exists()

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        member: Member | None = kwargs.get("obj")
        if member:
            context["corrections"] = [
                (reverse(f"admin:members_member_{name}", args=[member.pk]), label)
                for _address, name, permission, label in PAGES
                if may(request.user, permission, member)
            ]
        return super().render_change_form(request, context, *args, **kwargs)

    # --- The pages ----------------------------------------------------------------------------------------------------
    def sheet_view(self, request: HttpRequest, member: Member) -> HttpResponse:
        """The whole record on paper. Whoever opens it is in the log."""
        actor = Actor.of(request)
        log.record("member.sheet_printed", actor, member, person=member.pk, ordine=member.ordine.code)
        context = {
            "member": member,
            "enrolments": member.enrolments.select_related("albo"),
            "pec_requests": PecRequest.objects.filter(member=member),
            "log": history.entries(member.pk).filter(object_type=PecRequest._meta.label_lower),
            "printed_at": timezone.now(),
            "printed_by": actor.name,
        }
        return TemplateResponse(request, "admin/members/member/sheet.html", context)

    def tax_code_view(self, request: HttpRequest, member: Member) -> HttpResponse:
        """Ask for the code; show what will come of it; correct."""
        if not throttle.may_look_for(request, request.POST.get("code", "")):
            return throttle.refusal(request, throttle.OFFICE_SEARCH.per_person.seconds)
        form = TaxCodeForm(request.POST or None)
        title, ask = _("Correggi il codice fiscale"), _("Continua")
        text = _("In scheda %(name)s ha il codice %(code)s.") % {"name": member.full_name, "code": member.tax_code}
        if request.method != "POST" or not form.is_valid():
            return self.confirm_page(request, member, title, text, form=form, button=ask)
        code = form.cleaned_data["code"]
        if request.POST.get("confirmed"):
            try:
                done = corrections.correct_tax_code(member.pk, code, Actor.of(request))
                tell(request, done, _("Codice fiscale corretto."))
            except CorrectionRefused as why:
                messages.error(request, str(why))
            return self._back(member)
        try:
            behind = corrections.check_tax_code(member, code, PecRequest.objects.filter(member=member))
        except CorrectionRefused as why:
            form.add_error("code", str(why))
            other = why.other if isinstance(why, CodeTaken) else None
            return self._correction(request, member, title, text, form=form, button=ask, other=other)
        return self._correction(
            request, member, title, text, hidden={"code": code}, warnings=_warnings(member, code, behind), code=code
        )

    def merge_view(self, request: HttpRequest, member: Member) -> HttpResponse:
        """Ask for the other record; show both; merge."""
        form = TaxCodeForm(request.POST or None)
        form.fields["code"].label = _("Codice fiscale dell'altra scheda")
        title = _("Unisci a un'altra scheda")
        text = _("Due schede della stessa persona diventano una sola. Non si può tornare indietro.")
        other = self._other_record(request, member, form)
        if request.POST.get("keep") and other is None and form.has_error("code", "missing"):
            tell(request, 0, "")  # the second of two clicks
            return self._back(member)
        if other is None:
            return self.confirm_page(request, member, title, text, form=form, button=_("Continua"))
        if request.POST.get("keep") in (str(member.pk), str(other.pk)):
            kept, gone = (member, other) if request.POST["keep"] == str(member.pk) else (other, member)
            return self._merge(request, kept, gone)
        if request.POST.get("confirmed"):
            messages.error(request, _("Scegliere quale scheda resta."))
        reading.note(request, member, _("confronto di due schede"))
        reading.note(request, other, _("confronto di due schede"))
        choices = [_Choice(member, other), _Choice(other, member)]
        why_not = {choice.refusal for choice in choices}
        hopeless = len(why_not) == 1 and "" not in why_not  # whichever of the two stays
        doubts = ", ".join(merging.unlike(member, other))
        doubt = _("Le due schede non sembrano della stessa persona. Non coincidono: %s.") % doubts if doubts else ""
        return self._correction(
            request,
            member,
            title,
            text,
            hidden={"code": other.tax_code},
            rows=_compared(member, other),
            choices=choices,
            nothing=hopeless,
            danger=True,
            warnings=why_not if hopeless else [doubt] if doubt else (),
            doubt=doubt,
        )

    def _other_record(self, request: HttpRequest, member: Member, form: TaxCodeForm) -> Member | None:
        """The one whose code was typed, or that a link names; with an error in the form where there is none."""
        others = self.get_queryset(request).exclude(pk=member.pk)
        named = request.GET.get("altra", "")
        if request.method != "POST":
            return others.filter(pk=named).first() if named.isascii() and named.isdecimal() else None
        if not form.is_valid():
            return None
        other = others.filter(tax_code=form.cleaned_data["code"]).first()
        if other is None:
            sentence = _("Nel tuo Ordine non c'è un'altra scheda con questo codice fiscale.")
            form.add_error("code", ValidationError(sentence, code="missing"))
        return other

    def _merge(self, request: HttpRequest, kept: Member, gone: Member) -> HttpResponse:
        require_permission(request, MERGE, gone)
        verified = bool(request.POST.get("verified"))
        try:
            done = merging.merge(kept.pk, gone.pk, Actor.of(request), verified=verified)
            tell(request, done, _("Le due schede sono una sola."))
        except CorrectionRefused as why:
            messages.error(request, str(why))
        return self._back(kept)

    def transfer_view(self, request: HttpRequest, member: Member) -> HttpResponse:
        """Hand the member over, with the casella."""
        form = TransferForm(request.POST or None, member=member)
        if request.method == "POST" and form.is_valid():
            to: Ordine = form.cleaned_data["to"]
            try:
                done = transfers.hand_over(member.pk, to, Actor.of(request))
            except CorrectionRefused as why:
                form.add_error("to", str(why))
            else:
                tell(request, done, _("Scheda trasferita: ora la tiene %(ordine)s.") % {"ordine": to})
                return redirect("admin:members_member_changelist")
        pec = transfers.live_request(member)
        told = [
            _("L'altro Ordine vedrà la scheda intera, con le iscrizioni, le caselle e la loro storia; il tuo non più."),
            _("Le iscrizioni passano come sono; l'altro Ordine vi scriverà i suoi numeri. I vecchi sono nel registro."),
            _("La casella %(address)s resta alla persona e non si ferma.") % {"address": pec.address} if pec else "",
            _("%(name)s riceve un messaggio.") % {"name": member.full_name} if member.usable_email else "",
            _("Solo l'altro Ordine potrà restituire la scheda."),
        ]
        title = _("Trasferisci a un altro Ordine")
        return self._correction(request, member, title, "", form=form, told=told, danger=True)

    def leave_view(self, request: HttpRequest, member: Member) -> HttpResponse:
        """End enrolments; with the last, the casella goes as the Ordine has decided."""
        form = LeaveForm(request.POST or None, member=member)
        if request.method == "POST" and form.is_valid():
            data = form.cleaned_data
            ids = [e.pk for e in data["enrolments"]]
            try:
                ended = leaving.cancel_enrolments(member.pk, ids, data["on"], data["reason"], Actor.of(request))
            except CorrectionRefused as why:
                form.add_error(None, str(why))
            else:
                tell(request, len(ended), _("Cancellazione registrata."))
                return self._back(member)
        title = _("Cancella dall'albo")
        if not form.current:
            return self._correction(request, member, title, _("Non è iscritto ad alcun albo."), nothing=True)
        return self._correction(
            request, member, title, "", form=form, told=_after_leaving(member), danger=True, button=title
        )

    def _correction(
        self, request: HttpRequest, member: Member, title: str, text: str, *, told: Iterable[str] = (), **extra: Any
    ) -> HttpResponse:
        """The page that asks before a correction, with what will come of it."""
        template = "admin/members/member/correction.html"
        return self.confirm_page(request, member, title, text, template=template, told=[t for t in told if t], **extra)

    def _back(self, member: Member) -> HttpResponse:
        return redirect("admin:members_member_change", member.pk)


class _Choice:
    """One way to merge two records: what becomes of the enrolments, or why it cannot be."""

    def __init__(self, kept: Member, gone: Member) -> None:
        self.kept, self.gone = kept, gone
        self.moving, self.met = merging.meeting(kept, gone)
        self.refusal = ""
        self.behind: list[PecRequest] = []
        try:
            self.behind = merging.check(kept, gone)
        except CorrectionRefused as why:
            self.refusal = str(why)


def _compared(member: Member, other: Member) -> list[tuple[str, str, str]]:
    """What each of two records says, field by field; what neither says is left out."""
    fields = ("tax_code", "surname", "name", *merging.FILLED)
    rows = [(str(Member._meta.get_field(f).verbose_name), _said(member, f), _said(other, f)) for f in fields]  # type: ignore[union-attr]  # plain fields
    rows.append((_("iscrizioni"), _enrolments(member), _enrolments(other)))
    rows.append((_("caselle"), _mailboxes(member), _mailboxes(other)))
    rows.append((_("accesso al portale"), _account(member), _account(other)))
    return [row for row in rows if row[1] or row[2]]


def _said(member: Member, field: str) -> str:
    value = getattr(member, field)
    return date_format(value, "SHORT_DATE_FORMAT") if hasattr(value, "isoformat") else str(value or "")


def _enrolments(member: Member) -> str:
    return "; ".join(f"{e} ({e.get_status_display()})" for e in member.enrolments.select_related("albo"))


def _mailboxes(member: Member) -> str:
    return "; ".join(f"{r.address} ({r.get_status_display()})" for r in PecRequest.objects.filter(member=member))


def _account(member: Member) -> str:
    return _("sì") if member.user_id else ""


def _warnings(member: Member, code: str, behind: list[PecRequest]) -> list[str]:
    agrees = tax_codes.agrees(
        code, surname=member.surname, name=member.name, birth_date=member.birth_date, sex=member.sex
    )
    found = [_("Sarà corretto anche il titolare della casella %s presso il gestore.") % pec.address for pec in behind]
    if not agrees:
        found.append(
            _(
                "Il codice non corrisponde a cognome, nome, data di nascita o sesso: con questo codice il gestore non "
                "assegna caselle."
            )
        )
    return found


def _after_leaving(member: Member) -> list[str]:
    pec = transfers.live_request(member)
    told = [_("%(name)s riceve un messaggio.") % {"name": member.full_name}] if member.usable_email else []
    if pec:
        day = date_format(register.closing_day(member.ordine), "SHORT_DATE_FORMAT")
        told.append(
            _(
                "Se non resta alcuna iscrizione, la casella %(address)s rimane aperta per %(days)s giorni e il %(day)s "
                "viene chiusa per sempre. Se prima di quel giorno un'iscrizione torna ISCRITTO, la casella resta."
            )
            % {"address": pec.address, "days": member.ordine.closing_days, "day": day}
        )
    return told
