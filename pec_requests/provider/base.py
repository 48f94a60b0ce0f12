"""What the portal asks of a provider of mailboxes, and the four ways in which it can fail.

Nothing in this module knows HTTP, Django models or the database.

The four errors, and the one way on that each has:

* ``Temporary``: repeat later. Where ``maybe_done`` is true, look first whether the effect is already there.
* ``UnknownOutcome``: the request left and its answer was lost. Look first; a password reset must never be repeated.
* ``Refused``: repeating changes nothing. A person reads the provider's words and decides.
* ``Misconfigured``: no call at all can succeed until an administrator corrects the settings.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class MailboxStatus(Enum):
    """The state of a mailbox in the provider's own words."""

    TO_CERTIFY = "Da Certificare"
    CERTIFIED = "Certificato"
    CLOSING = "Richiesta Disdetta"
    CLOSING_SUSPENDED = "Richiesta Disdetta Sospesa"
    UNKNOWN = ""
    """A word that this version of the portal does not know. Only ``Provider.mailbox_page`` yields it."""


@dataclass(frozen=True, slots=True)
class Holder:
    """What the portal knows of the person who will hold a mailbox; an unknown text is ``""``.

    ``tax_code`` is the codice fiscale (16 characters), ``province`` two letters, ``mobile`` a telephone number as
    people write it ("385 5371724", "+39 071 000000").
    """

    tax_code: str
    name: str
    surname: str
    email: str
    address: str = ""
    town: str = ""
    postcode: str = ""
    province: str = ""
    mobile: str = ""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox as the provider knows it.

    ``name`` is the whole address in lower case. ``holder_tax_code`` is ``""`` where the provider does not tell it.
    ``recovery_email`` is None where the provider does not tell it (no calls of the convention). ``suspended`` means
    read-only. ``status_text`` is the provider's own word for ``status``.
    """

    name: str
    status: MailboxStatus
    holder_tax_code: str
    recovery_email: str | None
    suspended: bool
    status_text: str = ""

    @property
    def closing(self) -> bool:
        """The provider has taken note that this mailbox is to end."""
        return self.status in (MailboxStatus.CLOSING, MailboxStatus.CLOSING_SUSPENDED)


@dataclass(frozen=True, slots=True)
class MailboxPage:
    """A part of the list of all mailboxes. ``last``: there are no more."""

    mailboxes: tuple[Mailbox, ...]
    last: bool


@dataclass(frozen=True, slots=True)
class Availability:
    """``exists``: somebody has this address now. ``assignable``: it can be given to the person asked about."""

    exists: bool
    assignable: bool


class ProviderError(Exception):
    """Something went wrong between the portal and the provider.

    ``str(error)`` (``message``) is an Italian sentence for staff, with the provider's own words where it gave some, no
    whole codice fiscale and no secret in it, at most some 500 characters. ``detail`` is for the log alone, in English.

    ``code``: the provider's own code, or one of the adapter's (``"several_owners"``, ``"http_409"``), else ``""``.
    ``field``: which of the data the provider says is wrong, by its own name, where it says it, else ``""``.
    ``outage``: not this request but the whole provider is away; it counts for the breaker, not as an attempt.
    ``retry_after``: seconds that the provider asks to wait, else None.
    ``maybe_done``: the effect may be there already: look before repeating.
    """

    maybe_done = False

    def __init__(
        self,
        message: str,
        detail: str = "",
        *,
        code: str = "",
        field: str = "",
        outage: bool = False,
        retry_after: float | None = None,
        maybe_done: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.code = code
        self.field = field
        self.outage = outage
        self.retry_after = retry_after
        if maybe_done is not None:
            self.maybe_done = maybe_done

    def __str__(self) -> str:
        return self.message


class Temporary(ProviderError):
    """It will pass: nothing was done, or (``maybe_done``) repeating is safe once the portal has looked."""


class UnknownOutcome(ProviderError):
    """A changing request was sent and no usable answer came: it may have been done or not."""

    maybe_done = True


class Refused(ProviderError):
    """The provider says no, and would say no again."""


class Misconfigured(ProviderError):
    """The provider does not accept the portal's credentials or address."""


class Provider(Protocol):
    """A provider of mailboxes. Every method may raise any ``ProviderError`` and nothing else.

    ``address`` is always the whole address. Methods that change something return only once the provider has confirmed
    it, are made at most once by each call (no hidden repetition after sending), and do not look first: the caller does.
    Methods that only read never raise ``UnknownOutcome``. All methods may be called from many threads at once.
    """

    def find(self, address: str) -> Mailbox | None:
        """The mailbox at this address; None if the provider has none. ``Refused("unknown_status")`` for a new word."""

    def availability(self, address: str, tax_code: str) -> Availability:
        """Whether this address can be given to the holder of this codice fiscale."""

    def create(self, address: str, holder: Holder, recovery_email: str) -> Mailbox:
        """Find or create the holder, then create the mailbox, still to be certified."""

    def activate(self, address: str) -> Mailbox:
        """Certify the mailbox; the provider mails the link for the first password to the recovery address."""

    def reset_password(self, address: str, tax_code: str) -> str:
        """Have the provider mail a reset link; gives the recovery address it went to, masked.

        Cannot be looked up: every doubt is ``UnknownOutcome``, a ``Temporary`` means that nothing was sent for sure.
        """

    def change_recovery_email(self, address: str, email: str) -> Mailbox:
        """Set another recovery e-mail."""

    def correct_tax_code(self, old: str, new: str) -> None:
        """Give the holder who is known by one codice fiscale another; only before recognition has begun."""

    def suspend(self, address: str) -> Mailbox:
        """Make the mailbox read-only."""

    def resume(self, address: str) -> Mailbox:
        """Undo a suspension."""

    def close(self, address: str) -> None:
        """Close the mailbox at once and for good."""

    def mailbox_page(self, number: int, size: int) -> MailboxPage:
        """One page of every mailbox of the account, by address; the first is number 0.

        The list moves while it is walked: a mailbox may come twice, or be left out when another vanishes meanwhile, so
        ask ``find`` before acting on an absence.
        """
