"""What each office role carries. The only place where a permission is given to anybody but the federation.

The federation's administrator may do everything in every Ordine, but for what ``OF_THE_ORDINE_ALONE`` names.
"""

from __future__ import annotations

from typing import cast

from django.db.models import Model

from members.models import Ordine, StaffRole

Role = StaffRole.Role

# Acts of the office, by name: each page that does one asks for its permission.
EXPORT_LISTS = "members.export_lists"
IMPORT_ALBO = "members.import_albo"
INVITE_MEMBER = "members.invite_member"
LIFT_LOCK = "members.lift_lock"
MANAGE_STAFF = "members.manage_staff"
PRINT_CODE = "members.print_code"
PRINT_SHEET = "members.print_sheet"
SEE_AS_MEMBER = "members.see_as_member"
VIEW_LETTERS = "members.view_letters"

# Reads everything of the Ordine and changes nothing. Whole lists are not taken away: a page that is read stays where
# it is watched, a file of all members does not, and whoever needs one asks those who answer for it.
_REVISORE = frozenset(
    {
        "members.view_member",
        "members.view_enrolment",
        "members.view_importrun",
        "members.view_albo",
        "members.view_ordine",
        "members.view_staffrole",
        VIEW_LETTERS,
        PRINT_SHEET,
        "pec_requests.view_pecrequest",
        "pec_requests.view_requestbatch",
        "pec_requests.view_pecdomain",
        "pec_requests.view_provideroperation",
        "pec_requests.view_difference",
        "audit.view_logentry",
    }
)
# The log of everybody's acts and the list of colleagues are for those who answer for them, and who checks.
_OPERATORE = _REVISORE - {"audit.view_logentry", "members.view_staffrole"} | {
    "members.add_member",
    "members.change_member",
    "members.add_enrolment",
    "members.change_enrolment",
    IMPORT_ALBO,
    EXPORT_LISTS,
    INVITE_MEMBER,
    LIFT_LOCK,
    PRINT_CODE,
    "pec_requests.request_pec",
    "pec_requests.cancel_request",
    "pec_requests.retry_operation",
    "pec_requests.drop_operation",
    "pec_requests.cancel_enrolment",
    "pec_requests.settle_alarm",
}
_RESPONSABILE = (
    _REVISORE
    | _OPERATORE
    | {
        "pec_requests.suspend_pec",
        "pec_requests.close_pec",
        "pec_requests.correct_tax_code",
        "pec_requests.merge_members",
        "pec_requests.transfer_member",
        MANAGE_STAFF,
        SEE_AS_MEMBER,
    }
)

PERMISSIONS_BY_ROLE: dict[str, frozenset[str]] = {
    Role.REVISORE: _REVISORE,
    Role.OPERATORE: _OPERATORE,
    Role.RESPONSABILE: _RESPONSABILE,
}
# Between a member and the own Ordine: no business of the federation's.
OF_THE_ORDINE_ALONE = frozenset({SEE_AS_MEMBER})


def ordine_id_of(obj: Model) -> int | None:
    """The Ordine an object belongs to, found on it or on its member; None for what belongs to none."""
    if isinstance(obj, Ordine):
        return obj.pk
    # A request that has just been made does not know yet what the database wrote into it: then its member does.
    if getattr(obj, "ordine_id", None) is not None:
        return cast("int", obj.ordine_id)  # type: ignore[attr-defined]  # looked for above
    for owner in ("member", "request"):
        if getattr(obj, f"{owner}_id", None) is not None:
            return ordine_id_of(getattr(obj, owner))
    return None


def ordini_where(roles: list[StaffRole], permission: str) -> list[int]:
    """The Ordini in whose office these roles allow something."""
    return [role.ordine_id for role in roles if permission in PERMISSIONS_BY_ROLE[role.role]]


def permissions(roles: list[StaffRole], obj: Model | None = None) -> set[str]:
    """What these roles allow: in any of their Ordini, or, for an object of an Ordine, in that one."""
    ordine_id = ordine_id_of(obj) if obj is not None else None
    if ordine_id is not None:
        roles = [role for role in roles if role.ordine_id == ordine_id]
    return set().union(*(PERMISSIONS_BY_ROLE[role.role] for role in roles))
