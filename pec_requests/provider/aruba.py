"""Aruba's partner API, and the three calls of the convention that are not part of it."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from django.utils.translation import gettext as _

from pec_requests.provider.answers import Call, Effect, NotFound, data_of, unusable
from pec_requests.provider.base import Availability, Holder, Mailbox, MailboxPage, MailboxStatus, Refused
from pec_requests.provider.holders import owner_fields
from pec_requests.provider.session import Transport, deadline
from pec_requests.provider.tokens import TokenStore, refused_credentials
from pec_requests.provider.words import cleaned, masked

log = structlog.get_logger(__name__)

_OWNERS = "/service/public/partner/pec/v2/owners"
_ACCOUNTS = "/service/public/partner/pec/v3/accounts"

OWNER_SEARCH = Call(f"{_OWNERS}/search")
OWNER_CREATE = Call(_OWNERS, Effect.VISIBLE)
OWNER_UPDATE = Call(_OWNERS, Effect.VISIBLE, "PATCH")
INFO = Call(f"{_ACCOUNTS}/info")
SEARCH = Call(f"{_ACCOUNTS}/search")
AVAILABLE = Call(f"{_ACCOUNTS}/accountAvailable")
CREATE = Call(_ACCOUNTS, Effect.VISIBLE)
SUSPEND = Call(f"{_ACCOUNTS}/suspend", Effect.VISIBLE)
SUSPEND_UNDO = Call(f"{_ACCOUNTS}/suspend-undo", Effect.VISIBLE)
CANCELLATION = Call(f"{_ACCOUNTS}/cancellation", Effect.VISIBLE)
# Of the convention.
ACTIVATE = Call(f"{_ACCOUNTS}/activate", Effect.VISIBLE)
PASSWORD_RESET = Call(f"{_ACCOUNTS}/password-reset", Effect.INVISIBLE)
RECOVERY_EMAIL = Call(f"{_ACCOUNTS}/recovery-email", Effect.VISIBLE)

_CANCEL_NOW = "I"
_TO_CORRECT = "da bonificare"
_STATUSES = {status.value: status for status in MailboxStatus if status is not MailboxStatus.UNKNOWN}


class ArubaProvider:
    """The ``Provider`` that speaks to Aruba. Any number of threads may share one."""

    def __init__(
        self, transport: Transport, tokens: TokenStore, *, convention_calls: bool = True, renewal_years: int = 1
    ) -> None:
        self._transport = transport
        self._tokens = tokens
        self._convention_calls = convention_calls
        self._renewal_years = renewal_years

    def find(self, address: str) -> Mailbox | None:
        """See ``Provider.find``."""
        try:
            data = self._ask(INFO, {"name": address, "loadExtraData": True})
        except NotFound:
            return None
        return _mailbox(INFO, data, address)

    def availability(self, address: str, tax_code: str) -> Availability:
        """See ``Provider.availability``."""
        name, _at, domain = address.rpartition("@")
        data = self._ask(AVAILABLE, {"name": name, "domain": domain, "taxCode": tax_code})
        exists, assignable = data.get("accountExists"), data.get("isAccountAssignable")
        if not isinstance(exists, bool) or not isinstance(assignable, bool):
            raise unusable(AVAILABLE, "accountExists or isAccountAssignable is missing")
        return Availability(exists, assignable)

    def create(self, address: str, holder: Holder, recovery_email: str) -> Mailbox:
        """See ``Provider.create``."""
        with deadline(self._transport.limits.operation):
            owner_id = self._find_owner(holder.tax_code)
            if owner_id is None:
                owner_id = self._create_owner(holder, recovery_email)
            body = {
                "name": address,
                "type": "EMAIL",
                "recoveryEmail": recovery_email,
                "ownerId": {"id": owner_id},
                "renewalData": {"type": "T", "duration": self._renewal_years},
            }
            return _mailbox(CREATE, self._ask(CREATE, body), address)

    def activate(self, address: str) -> Mailbox:
        """See ``Provider.activate``."""
        return self._act(ACTIVATE, address)

    def reset_password(self, address: str, tax_code: str) -> str:
        """See ``Provider.reset_password``."""
        self._need_convention()
        data = self._ask(PASSWORD_RESET, {"name": address, "taxCode": tax_code})
        sent_to = data.get("sentTo")
        if not isinstance(sent_to, str) or not sent_to:
            raise unusable(PASSWORD_RESET, "sentTo is missing")
        return cleaned(sent_to)

    def change_recovery_email(self, address: str, email: str) -> Mailbox:
        """See ``Provider.change_recovery_email``."""
        return self._act(RECOVERY_EMAIL, address, recoveryEmail=email)

    def correct_tax_code(self, old: str, new: str) -> None:
        """See ``Provider.correct_tax_code``."""
        owner = self._ask(OWNER_UPDATE, {"ownerId": {"taxCode": old}, "newTaxCode": new})
        if str(owner.get("taxCode", "")).upper() != new:
            raise unusable(OWNER_UPDATE, "the owner has another tax code")

    def suspend(self, address: str) -> Mailbox:
        """See ``Provider.suspend``."""
        return self._act(SUSPEND, address)

    def resume(self, address: str) -> Mailbox:
        """See ``Provider.resume``."""
        return self._act(SUSPEND_UNDO, address)

    def close(self, address: str) -> None:
        """See ``Provider.close``."""
        data = self._ask(CANCELLATION, {"name": address, "type": _CANCEL_NOW})
        _check_name(CANCELLATION, data, address)

    def mailbox_page(self, number: int, size: int) -> MailboxPage:
        """See ``Provider.mailbox_page``."""
        query = {"page": number, "size": size, "sort": "name,asc"}
        page = self._ask(SEARCH, {"loadExtraData": True}, query)
        content = _content(SEARCH, page)
        mailboxes = tuple(filter(None, map(_listed_mailbox, content)))
        return MailboxPage(mailboxes, last=page.get("last") is True or not content)

    def _act(self, call: Call, address: str, **fields: str) -> Mailbox:
        if call in (ACTIVATE, RECOVERY_EMAIL):
            self._need_convention()
        return _mailbox(call, self._ask(call, {"name": address, **fields}), address)

    def _need_convention(self) -> None:
        if not self._convention_calls:
            message = _("Il gestore non offre questa operazione: va chiesta al gestore o fatta sulle sue pagine.")
            raise Refused(message, "the calls of the convention are switched off", code="convention_off")

    def _find_owner(self, tax_code: str) -> int | None:
        page = self._ask(OWNER_SEARCH, {"taxCode": tax_code}, {"page": 0, "size": 10})
        content = _content(OWNER_SEARCH, page)
        owners = [owner for owner in content if str(owner.get("taxCode", "")).upper() == tax_code.upper()]
        if not owners:
            return None
        shown = {"code": masked(tax_code)}
        if len(owners) > 1:
            message = _("Presso il gestore più titolari hanno il codice fiscale %(code)s: va chiarito con il gestore.")
            raise Refused(message % shown, f"{len(owners)} owners match", code="several_owners")
        if str(owners[0].get("label") or "").strip().lower() == _TO_CORRECT:
            message = _("Presso il gestore il titolare %(code)s è «Da bonificare»: i suoi dati vanno corretti là.")
            raise Refused(message % shown, "the owner is to be corrected", code="owner_to_correct")
        return _owner_id(OWNER_SEARCH, owners[0])

    def _create_owner(self, holder: Holder, recovery_email: str) -> int:
        return _owner_id(OWNER_CREATE, self._ask(OWNER_CREATE, owner_fields(holder, recovery_email)))

    def _ask(self, call: Call, body: Mapping[str, object], query: Mapping[str, object] | None = None) -> dict[str, Any]:
        """The ``data`` of a call. After a 401, which did nothing, it is repeated once with a fresh token."""
        with deadline(self._transport.limits.operation):
            token = self._tokens.get()
            answer = self._transport.post(call, body, query=query, token=token)
            if answer.status == HTTPStatus.UNAUTHORIZED:
                answer = self._transport.post(call, body, query=query, token=self._tokens.replace(token))
            if answer.status == HTTPStatus.UNAUTHORIZED:
                raise refused_credentials(f"{call.path}: HTTP 401 with a fresh token")
            return data_of(call, answer)


def _mailbox(call: Call, data: dict[str, Any], address: str) -> Mailbox:
    """The account asked about; an answer about another, or in a state nobody knows, is not taken for it."""
    _check_name(call, data, address)
    mailbox = _read_mailbox(data)
    if mailbox.status is not MailboxStatus.UNKNOWN:
        return mailbox
    if not call.reads:
        raise unusable(call, f"unknown status {mailbox.status_text!r}")
    message = _("La casella è presso il gestore in uno stato che il portale non conosce: «%(status)s».")
    raise Refused(message % {"status": mailbox.status_text}, "unknown status", code="unknown_status")


def _listed_mailbox(data: dict[str, Any]) -> Mailbox | None:
    if isinstance(data.get("name"), str) and data["name"]:
        return _read_mailbox(data)
    log.warning("provider_account_without_name")
    return None


def _read_mailbox(data: dict[str, Any]) -> Mailbox:
    owner, recovery_email, status = data.get("owner"), data.get("recoveryEmail"), data.get("status")
    status_text = cleaned(status) if isinstance(status, str) else ""
    tax_code = owner.get("taxCode") if isinstance(owner, dict) else None
    return Mailbox(
        name=data["name"].lower(),
        status=_STATUSES.get(status_text, MailboxStatus.UNKNOWN),
        holder_tax_code=tax_code.upper() if isinstance(tax_code, str) else "",
        recovery_email=recovery_email if isinstance(recovery_email, str) else None,
        suspended=bool(data.get("suspensionDate")),
        status_text=status_text,
    )


def _check_name(call: Call, data: dict[str, Any], address: str) -> None:
    name = data.get("name")
    if not isinstance(name, str) or name.lower() != address.lower():
        raise unusable(call, "the answer is about another account")


def _owner_id(call: Call, owner: dict[str, Any]) -> int:
    owner_id = owner.get("id")
    if not isinstance(owner_id, int) or isinstance(owner_id, bool):
        raise unusable(call, "the owner has no id")
    return owner_id


def _content(call: Call, page: dict[str, Any]) -> list[dict[str, Any]]:
    content = page.get("content")
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise unusable(call, "the page has no content")
    return content
