"""The permission matrix: every address of the resolver by every role, for what is of one's own Ordine and of another.

The expected answers are written down here; the addresses come from the code, so that a new page without a row fails.
Whoever looks changes nothing, and neither does whoever is refused: not one row of the register, nor a mail.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.urls import Resolver404, resolve
from django.urls.converters import SlugConverter, StringConverter, UUIDConverter
from django_scopes import scopes_disabled

from members.links import SignedNumber
from members.models import StaffRole
from members.roles import OF_THE_ORDINE_ALONE, PERMISSIONS_BY_ROLE
from tests.permissions.asking import Asking
from tests.permissions.world import ROLES, THERE, WORDS, Answers, World, addresses, is_about_a_row, url_of

pytestmark = pytest.mark.django_db


def same(status: int) -> Answers:
    return Answers(*[status] * 10)


def signed_in(status: int) -> Answers:
    """Visitors go and sign in."""
    return Answers(302, *[status] * 9)


def own(status: int, visitor: int = 302) -> Answers:
    """The member it is about; for anybody else it is not there."""
    return Answers(visitor, status, *[404] * 8)


def office(revisore: int, operatore: int, responsabile: int, elsewhere: int, both: int, federation: int) -> Answers:
    """Whoever does not work in an office is led to the door, or back home. ``both``: revisore here, more elsewhere."""
    return Answers(302, 302, 302, 302, revisore, operatore, responsabile, elsewhere, both, federation)


NOT_SO = same(405)
GONE = same(410)
ALL_OFFICES = office(200, 200, 200, 200, 200, 200)
NO_OFFICE = office(405, 405, 405, 405, 405, 405)
NOBODY = office(403, 403, 403, 403, 403, 403)
NOWHERE = office(404, 404, 404, 404, 404, 404)
FEDERATION = office(403, 403, 403, 403, 403, 200)
READ_HERE = office(200, 200, 200, 404, 200, 200)
READ_HERE_OR_LED_BACK = office(200, 200, 200, 302, 200, 200)  # Django's own pages: "does not exist" is a redirect

# GET, POST, and the addresses that answer so. What a POST may do and did not for want of data is 200.
MATRIX: list[tuple[Answers, Answers, str]] = [
    # --- The portal ---------------------------------------------------------------------------------------------------
    (same(200), NOT_SO, "home account_inactive help privacy accessibility members:password_link_sent"),
    (same(200), NOT_SO, "healthz readyz metrics"),
    (same(404), NOT_SO, "security_txt"),  # nobody is named
    (same(200), same(200), "members:first_access members:password_forgotten"),
    (same(302), same(302), "members:home members:language account_set_password"),
    (Answers(200, *[302] * 9), Answers(200, *[302] * 9), "account_login"),
    (signed_in(200), same(302), "account_logout"),
    (signed_in(200), signed_in(200), "account_reauthenticate account_change_password"),
    # An account without a record is told whose page this is.
    (signed_in(200), NOT_SO, "members:record pec_requests:list"),
    (signed_in(200), signed_in(200), "members:change_email members:own_data"),
    (signed_in(200), office(200, 200, 200, 200, 200, 200), "members:preferences members:change_mobile"),
    (NOT_SO, office(200, 200, 200, 200, 200, 200), "members:drop_email"),
    (NOT_SO, same(302), "members:support_end"),
    # By a secret that is nobody's; without a gateway.
    (GONE, GONE, "members:unsubscribe members:confirm_email members:new_password"),
    (GONE, GONE, "pec_requests:confirm-recovery pec_requests:stop-recovery"),
    (GONE, NOT_SO, "members:invitation members:password_link"),
    (same(404), same(404), "members:identity_start"),
    (same(404), NOT_SO, "members:identity_return"),
    # The member's own mailbox. Where a request is not where an act starts, it is shown where it is.
    (own(200), NOT_SO, "pec_requests:panel"),
    (own(200), own(200), "pec_requests:change-recovery"),
    (own(200, visitor=204), NOT_SO, "pec_requests:status pec_requests:panel-status"),  # loads its page anew
    (own(302), own(302), "pec_requests:accept pec_requests:refuse pec_requests:reset-password"),
    (NOT_SO, own(302), "pec_requests:drop-recovery pec_requests:resend-recovery"),
    # The second factor, of whoever has none yet, and has not just typed the password.
    (signed_in(200), Answers(302, *[405] * 9), "mfa_index"),
    (same(302), same(302), "mfa_authenticate mfa_reauthenticate mfa_activate_totp mfa_generate_recovery_codes"),
    (same(302), same(302), "mfa_add_webauthn mfa_reauthenticate_webauthn mfa_remove_webauthn"),
    (signed_in(404), signed_in(404), "mfa_deactivate_totp"),
    (signed_in(200), same(302), "sessions"),
    (signed_in(404), Answers(302, *[405] * 9), "mfa_view_recovery_codes"),
    # --- The office: what it reads ------------------------------------------------------------------------------------
    (ALL_OFFICES, ALL_OFFICES, "admin:index admin:app_list"),
    (
        ALL_OFFICES,
        ALL_OFFICES,
        "admin:members_member_changelist admin:members_importrun_changelist"
        " admin:pec_requests_pecrequest_changelist admin:pec_requests_requestbatch_changelist"
        " admin:pec_requests_provideroperation_changelist admin:pec_requests_difference_changelist",
    ),
    (
        READ_HERE_OR_LED_BACK,
        READ_HERE_OR_LED_BACK,
        "admin:members_member_history admin:members_importrun_history admin:pec_requests_pecrequest_history"
        " admin:pec_requests_requestbatch_history admin:pec_requests_provideroperation_history"
        " admin:pec_requests_difference_history",
    ),
    (
        READ_HERE_OR_LED_BACK,
        NOBODY,
        "admin:pec_requests_pecrequest_change admin:pec_requests_requestbatch_change"
        " admin:pec_requests_provideroperation_change admin:pec_requests_difference_change",
    ),
    (READ_HERE, READ_HERE, "admin:members_member_sheet admin:pec_requests_requestbatch_standing"),
    (READ_HERE, NO_OFFICE, "admin:members_ordine_letters_of admin:members_ordine_letter"),
    (READ_HERE, NO_OFFICE, "admin:members_ordine_letter_html"),
    (same(302), NO_OFFICE, "admin:members_ordine_letters"),
    (
        Answers(204, 204, 204, 204, *READ_HERE[4:]),  # loads its page anew
        Answers(204, 204, 204, 204, *READ_HERE[4:]),
        "admin:members_importrun_progress",
    ),
    # --- The office: what it does -------------------------------------------------------------------------------------
    (
        READ_HERE_OR_LED_BACK,
        office(403, 200, 200, 302, 403, 200),
        "admin:members_member_change",
    ),
    (READ_HERE_OR_LED_BACK, office(403, 302, 302, 302, 403, 302), "admin:members_importrun_change"),
    (
        office(403, 200, 200, 200, 200, 200),  # in the offices where one may
        office(403, 200, 200, 200, 200, 200),
        "admin:members_member_add admin:members_member_request_pec admin:members_importrun_add"
        " admin:members_member_export admin:pec_requests_pecrequest_export"
        " admin:pec_requests_provideroperation_export admin:pec_requests_difference_export",
    ),
    (
        office(403, 200, 200, 200, 200, 200),
        office(403, 302, 302, 302, 302, 302),
        "admin:pec_requests_provideroperation_retry_all",
    ),
    (
        office(403, 200, 200, 404, 403, 200),
        office(403, 302, 302, 404, 403, 302),
        "admin:members_member_invite admin:pec_requests_pecrequest_act admin:pec_requests_pecrequest_alarm"
        " admin:pec_requests_requestbatch_cancel admin:pec_requests_provideroperation_retry"
        " admin:pec_requests_provideroperation_drop",
    ),
    (
        office(403, 200, 200, 404, 403, 200),
        office(403, 200, 200, 404, 403, 200),
        "admin:members_member_code admin:members_member_leave",
    ),
    # Accounts that are locked, of who may lift it.
    (office(403, 200, 200, 200, 200, 200), office(403, 200, 200, 200, 200, 200), "admin:members_tally_changelist"),
    (office(302, 200, 200, 302, 302, 200), office(302, 200, 200, 302, 302, 200), "admin:members_tally_history"),
    (office(403, 200, 200, 302, 302, 200), NOBODY, "admin:members_tally_change"),
    (office(403, 200, 200, 404, 404, 200), office(403, 302, 302, 404, 404, 302), "admin:members_tally_lift"),
    # There is no file of rejected lines, for whoever may have it.
    (office(403, 404, 404, 404, 403, 404), office(403, 404, 404, 404, 403, 404), "admin:members_importrun_rejects"),
    # --- The office: what the responsabile does -----------------------------------------------------------------------
    (
        office(403, 403, 200, 404, 403, 200),
        office(403, 403, 200, 404, 403, 200),
        "admin:members_member_tax_code admin:members_member_merge admin:members_member_transfer",
    ),
    (office(403, 403, 200, 404, 403, 403), office(403, 403, 302, 404, 403, 403), "admin:members_member_see_as"),
    # Colleagues, whom an operatore does not see.
    (office(200, 403, 200, 200, 200, 200), office(200, 403, 200, 200, 200, 200), "admin:members_staffrole_changelist"),
    (office(200, 302, 200, 302, 200, 200), office(200, 302, 200, 302, 200, 200), "admin:members_staffrole_history"),
    (office(200, 302, 200, 302, 200, 200), office(403, 302, 302, 302, 403, 302), "admin:members_staffrole_change"),
    (office(403, 403, 200, 200, 200, 200), office(403, 403, 200, 200, 200, 200), "admin:members_staffrole_add"),
    (
        office(403, 404, 200, 404, 403, 200),
        office(403, 404, 302, 404, 403, 302),
        "admin:members_staffrole_dismiss admin:members_staffrole_invite",
    ),
    # What everybody did, which an operatore does not see; nor does who only reads take it away.
    (office(200, 403, 200, 200, 200, 200), office(200, 403, 200, 200, 200, 200), "admin:audit_logentry_changelist"),
    (office(403, 403, 200, 200, 200, 200), office(403, 403, 200, 200, 200, 200), "admin:audit_logentry_export"),
    (office(200, 403, 200, 302, 200, 200), NOBODY, "admin:audit_logentry_change"),
    (office(200, 302, 200, 302, 200, 200), office(200, 302, 200, 302, 200, 200), "admin:audit_logentry_history"),
    # --- The federation -----------------------------------------------------------------------------------------------
    (
        FEDERATION,
        FEDERATION,
        "admin:members_ordine_changelist admin:members_ordine_add admin:members_ordine_history"
        " admin:members_ordine_change admin:members_user_changelist admin:members_user_add"
        " admin:members_user_history admin:members_user_change admin:auth_user_password_change"
        " admin:members_albo_changelist admin:members_albo_history admin:pec_requests_pecdomain_changelist"
        " admin:pec_requests_pecdomain_history admin:pec_requests_providerhealth_changelist"
        " admin:pec_requests_providerhealth_history",
    ),
    (
        FEDERATION,
        office(403, 403, 403, 403, 403, 302),
        "admin:members_albo_add admin:members_albo_change admin:pec_requests_pecdomain_add"
        " admin:pec_requests_pecdomain_change",
    ),
    (FEDERATION, NOBODY, "admin:pec_requests_providerhealth_change"),
    # --- Nobody -------------------------------------------------------------------------------------------------------
    (
        NOBODY,
        NOBODY,
        " ".join(
            f"admin:{name}_delete"
            for name in (
                *("members_member", "members_importrun", "members_staffrole", "members_ordine", "members_albo"),
                *("members_tally", "members_user", "audit_logentry"),
                *("pec_requests_pecrequest", "pec_requests_requestbatch", "pec_requests_difference"),
                *("pec_requests_provideroperation", "pec_requests_providerhealth", "pec_requests_pecdomain"),
            )
        )
        + " admin:pec_requests_pecrequest_add admin:pec_requests_requestbatch_add admin:pec_requests_difference_add"
        " admin:pec_requests_provideroperation_add admin:pec_requests_providerhealth_add admin:members_tally_add"
        " admin:audit_logentry_add",
    ),
    (NOBODY, NO_OFFICE, "admin:autocomplete"),
    (NOWHERE, NOWHERE, "admin:view_on_site /admin/(?P<url>.*)$"),
    # --- Django's admin: where it leads on to what is above -----------------------------------------------------------
    (same(302), same(302), "admin:login admin:password_change"),
    (ALL_OFFICES, same(302), "admin:logout"),
    (ALL_OFFICES, NO_OFFICE, "admin:password_change_done admin:jsi18n"),
    (
        same(302),
        same(302),
        " ".join(
            f"/admin/{name}/<path:object_id>/"
            for name in (
                *("members/member", "members/importrun", "members/staffrole", "members/ordine", "members/albo"),
                *("members/tally", "members/user", "audit/logentry"),
                *("pec_requests/pecrequest", "pec_requests/requestbatch", "pec_requests/difference"),
                *("pec_requests/provideroperation", "pec_requests/providerhealth", "pec_requests/pecdomain"),
            )
        ),
    ),
]
PAGES = {key: (get, post) for get, post, keys in MATRIX for key in keys.split()}
# Of the other Ordine not as ``THERE`` has it: who may do so nowhere is told so before anything is looked up.
OTHERWISE = {
    ("post", "revisore", "admin:members_member_change"): 403,
    ("get", "revisore", "admin:members_tally_change"): 403,
    ("get", "operatore", "admin:audit_logentry_change"): 403,
    ("get", "revisore", "admin:members_tally_lift"): 403,
    ("post", "revisore", "admin:members_tally_lift"): 403,
}


def names() -> Iterator[str]:
    """The names of all addresses that have one."""
    return (address.name for address in addresses() if address.name)


def test_every_address_has_its_row() -> None:
    rows = [key for _get, _post, keys in MATRIX for key in keys.split()]
    assert len(rows) == len(set(rows))
    assert {address.key for address in addresses()} == set(rows)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("role", ROLES)
def test_matrix(role: str, settings: Any, tmp_path: Path) -> None:
    settings.UPLOADS = tmp_path
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.permissions.asking.Undrawn"]
    logging.disable(logging.CRITICAL)  # some hundred refusals, each with its lines
    try:
        world = World()
        wrong = _wrong_answers(world, role, Asking(world, role))
    finally:
        logging.disable(logging.NOTSET)
    assert not wrong, "\n".join(wrong)


def _wrong_answers(world: World, role: str, asking: Asking) -> list[str]:
    wrong, before = [], world.state()
    for address in addresses():
        places = [(world.here, role)]
        if is_about_a_row(address, world):
            places.append((world.there, THERE[role]))
        for place, stands in places:
            for method, expected in zip(("get", "post"), PAGES[address.key], strict=True):
                wanted = getattr(expected, stands)
                if place is world.there:
                    wanted = OTHERWISE.get((method, role, address.key), wanted)
                # Who may do it does it. What a refusal does stays, to be found.
                done = method == "post" and wanted in (200, 302)
                answer = asking.answer(method, url := url_of(address, place), take_back=done)
                if answer != wanted:
                    wrong.append(f"{method} {address.key} {url} as {role}: {answer}, not {wanted}")
    changed = {table for table, rows in world.state().items() if rows != before[table]}
    return [*wrong, f"{role} changed {changed}"] if changed else wrong


def test_the_matrix_notices_a_change() -> None:
    """Or else it would prove nothing that nothing changed."""
    world = World()
    before = world.state()
    with scopes_disabled():
        StaffRole.objects.filter(user=world.users["operatore"]).update(role=StaffRole.Role.RESPONSABILE)
    assert {table for table, rows in world.state().items() if rows != before[table]} == {"members_staffrole"}


def test_every_permission_of_a_role_exists() -> None:
    """A misspelt one would be one that nobody holds, or that nobody asks for."""
    known = {f"{app}.{name}" for app, name in Permission.objects.values_list("content_type__app_label", "codename")}
    assert set().union(*PERMISSIONS_BY_ROLE.values()) | OF_THE_ORDINE_ALONE <= known


def test_who_only_reads_holds_nothing_but_reading() -> None:
    held = PERMISSIONS_BY_ROLE[StaffRole.Role.REVISORE]
    assert {name for name in held if not name.partition(".")[2].startswith("view_")} == {"members.print_sheet"}
    assert held <= PERMISSIONS_BY_ROLE[StaffRole.Role.RESPONSABILE]


def test_no_address_of_a_member_can_be_guessed() -> None:
    """What names a row outside the office is a random UUID, a secret, or signed; the gateways' keys name no row."""
    gateways = {"members:identity_start", "members:identity_return"}
    seen = set()
    for address in addresses():
        if address.route.startswith("admin/"):
            continue
        for name, converter in address.pattern.pattern.converters.items():
            seen.add(address.key)
            secret = name in ("secret", "token") and type(converter) is StringConverter and address.key in WORDS
            gateway = address.key in gateways and type(converter) is SlugConverter
            assert type(converter) in (UUIDConverter, SignedNumber) or secret or gateway, address.key
    for forged in ("1", "1:", f"1:{'A' * 43}", SignedNumber().to_url(2).replace("2:", "1:", 1)):
        with pytest.raises(Resolver404):
            resolve(f"/utente/sicurezza/chiavi/{forged}/togli/")
    assert seen >= gateways | {"pec_requests:panel", "members:invitation"}
