"""What each office role carries. The only place where a permission is given to anybody but the federation."""

from __future__ import annotations

from typing import cast

from django.db.models import Model

from members.models import StaffRole

Role = StaffRole.Role

_OPERATORE = frozenset(
    {
        "members.view_member",
        "members.add_member",
        "members.change_member",
        "members.view_enrolment",
        "members.add_enrolment",
        "members.change_enrolment",
        "members.import_albo",
        "members.lift_lock",
        "members.view_albo",
        "members.view_ordine",
        "pec_requests.view_pecrequest",
        "pec_requests.view_requestbatch",
        "pec_requests.view_pecdomain",
        "pec_requests.view_provideroperation",
        "pec_requests.view_difference",
        "pec_requests.request_pec",
        "pec_requests.cancel_request",
        "pec_requests.retry_operation",
        "pec_requests.cancel_enrolment",
        "pec_requests.settle_alarm",
    }
)
_RESPONSABILE = _OPERATORE | {
    "pec_requests.suspend_pec",
    "pec_requests.close_pec",
    "pec_requests.correct_tax_code",
    "pec_requests.merge_members",
    "pec_requests.transfer_member",
    "audit.view_logentry",
    "members.view_user",
    "members.add_user",
    "members.change_user",
    "members.view_staffrole",
    "members.add_staffrole",
    "members.change_staffrole",
    "members.delete_staffrole",
}

PERMISSIONS_BY_ROLE: dict[str, frozenset[str]] = {Role.OPERATORE: _OPERATORE, Role.RESPONSABILE: _RESPONSABILE}


def ordine_id_of(obj: Model) -> int | None:
    """The Ordine an object belongs to, found on it or on its member; None for what belongs to none."""
    # A request that has just been made does not know yet what the database wrote into it: then its member does.
    if getattr(obj, "ordine_id", None) is not None:
        return cast("int", obj.ordine_id)  # type: ignore[attr-defined]  # looked for above
    for owner in ("member", "request"):
        if getattr(obj, f"{owner}_id", None) is not None:
            return ordine_id_of(getattr(obj, owner))
    return None


def permissions(roles: list[StaffRole], obj: Model | None = None) -> set[str]:
    """What these roles allow: in any of their Ordini, or, for an object of an Ordine, in that one."""
    ordine_id = ordine_id_of(obj) if obj is not None else None
    if ordine_id is not None:
        roles = [role for role in roles if role.ordine_id == ordine_id]
    return set().union(*(PERMISSIONS_BY_ROLE[role.role] for role in roles))
