"""Every address of the portal and who opens it there, or why it is no page. An address that is not here fails a test.

Arguments are words for what the demo's own data have: see ``known.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

VISITOR = "visitatore"
FEDERATION, OFFICE, OTHER_OFFICE = "admin", "ordine.marche", "ordine.umbria"
WITHOUT = "SENZA RICHIESTA"


@dataclass(frozen=True)
class Visit:
    """Who opens a page, of what, and the status it answers with; the picture of it in the guide, if it has one."""

    who: str
    of: str = ""
    status: int = 200
    query: str = ""
    picture: str = ""


def _by_each(*people: str) -> list[Visit]:
    return [Visit(who) for who in people]


def _own(*states: str) -> list[Visit]:
    """Members with a request in each of these states, each of their own."""
    return [Visit(state, f"pec:{state}") for state in states]


_PORTAL: dict[str, list[Visit]] = {
    "home": _by_each(VISITOR, "NON_ATTIVO", OFFICE),
    "help": _by_each(VISITOR),
    "account_login": _by_each(VISITOR),
    "account_logout": _by_each("ATTIVO"),
    "account_inactive": _by_each(VISITOR),
    "mfa_index": _by_each("ATTIVO"),
    "mfa_reauthenticate": _by_each("ATTIVO"),
    "mfa_activate_totp": _by_each(OFFICE),
    "account_reauthenticate": _by_each("ATTIVO"),
    "account_change_password": _by_each("ATTIVO"),
    "privacy": _by_each(VISITOR),
    "accessibility": _by_each("ATTIVO"),
    "members:confirm_email": [Visit(VISITOR, "email"), Visit(VISITOR, "nothing", 410)],
    "members:record": _by_each("ATTIVO", OFFICE),
    "members:preferences": _by_each("ATTIVO"),
    "members:unsubscribe": [Visit(VISITOR, "nothing", 410)],  # a good one is the same page with a button
    "members:change_email": _by_each("ATTIVO"),
    "members:change_mobile": _by_each("ATTIVO"),
    "members:own_data": _by_each("ATTIVO"),
    "members:first_access": _by_each(VISITOR),
    "members:password_forgotten": _by_each(VISITOR),
    "members:password_link_sent": _by_each(VISITOR),
    "members:invitation": [Visit(VISITOR, "invitation"), Visit(VISITOR, "nothing", 410)],  # a good one leads on
    # RIFIUTATO, SOSPESO and CESSATO are looked at in their walks; NON_ATTIVO is what home shows.
    "pec_requests:list": _by_each(WITHOUT, "RICHIESTA", "ATTIVO"),
    "pec_requests:panel": [*_own("RICHIESTA", "ATTIVO"), Visit(WITHOUT, "pec:ATTIVO", 404)],
    "pec_requests:accept": _own("NON_ATTIVO"),
    "pec_requests:refuse": _own("NON_ATTIVO"),
    "pec_requests:change-recovery": _own("RICHIESTA", "ATTIVO"),
    "pec_requests:reset-password": _own("ATTIVO"),
    "pec_requests:stop-recovery": [Visit(VISITOR, "nothing", 410)],  # a good one is in the walk of the guide
    "pec_requests:confirm-recovery": [Visit(VISITOR, "confirmation"), Visit(VISITOR, "nothing", 410)],
}

_OFFICE: dict[str, list[Visit]] = {
    "index": _by_each(OFFICE, FEDERATION),
    "login": _by_each("ATTIVO"),  # who is told that it is the office's; others are led to pages that are here
    "logout": _by_each(OFFICE),
    "app_list": [Visit(OFFICE, "members")],
    "members_member_changelist": [
        Visit(OFFICE, query="?q=ab"),  # some rows of the hundred a page has: they are all alike
        Visit(OFFICE, query="?q=nessuno"),
        Visit(FEDERATION, query="?q=abb&pec=con"),
    ],
    "members_member_add": _by_each(OFFICE),
    "members_member_change": [
        *(Visit(OFFICE, f"member:{state}") for state in (WITHOUT, "ATTIVO")),
        Visit(OTHER_OFFICE, "member:ATTIVO"),  # Django's own answer: the first page, with a warning
    ],
    "members_member_history": [Visit(OFFICE, "member:ATTIVO")],
    "members_member_request_pec": [
        Visit(OFFICE, query="?tutti=1", picture="segreteria-tutti"),
        Visit(OFFICE, query="?ids=0"),
    ],
    "members_member_invite": [Visit(OFFICE, f"member:{WITHOUT}")],
    "members_member_code": [Visit(OFFICE, "member:RICHIESTA")],
    "members_member_sheet": [Visit(OFFICE, "member:ATTIVO")],
    "members_member_tax_code": [Visit(OFFICE, "member:ATTIVO")],
    "members_member_merge": [Visit(OFFICE, "member:ATTIVO")],
    "members_member_transfer": [Visit(OFFICE, "member:ATTIVO")],
    "members_member_leave": [Visit(OFFICE, "member:ATTIVO")],
    "members_member_delete": [Visit(OFFICE, "member:ATTIVO", 403)],
    "members_member_see_as": [Visit(OFFICE, "member:ATTIVO")],
    "members_staffrole_changelist": _by_each(OFFICE),
    "members_staffrole_add": _by_each(OFFICE),
    "members_staffrole_change": [Visit(OFFICE, "staffrole"), Visit(FEDERATION, "staffrole")],  # one's own, another's
    "members_tally_changelist": _by_each(OFFICE),
    "members_importrun_changelist": _by_each(OFFICE),
    "members_importrun_add": _by_each(FEDERATION),
    "members_importrun_change": [
        Visit(OFFICE, "import:preview", picture="segreteria-importazione"),
        *(Visit(OFFICE, f"import:{state}") for state in ("columns", "done", "failed")),
    ],
    "pec_requests_pecrequest_changelist": [*_by_each(OFFICE), Visit(OFFICE, query="?attenzione=si")],
    "pec_requests_pecrequest_change": [
        Visit(OFFICE, f"request:{state}") for state in ("RICHIESTA", "NON_ATTIVO", "ATTIVO", "CESSATO")
    ],
    "pec_requests_pecrequest_act": [
        Visit(OFFICE, "request:NON_ATTIVO/cancel"),
        Visit(OFFICE, "request:ATTIVO/close"),
        Visit(OFFICE, "request:ATTIVO/nothing", 404),
    ],
    "pec_requests_pecrequest_alarm": [Visit(OFFICE, "request:ATTIVO")],  # with one in the walk of the guide
    "pec_requests_requestbatch_changelist": _by_each(OFFICE),
    "pec_requests_requestbatch_change": [Visit(OFFICE, "requestbatch")],
    "pec_requests_requestbatch_cancel": [Visit(OFFICE, "requestbatch")],
    "pec_requests_provideroperation_changelist": _by_each(OFFICE),
    "pec_requests_provideroperation_change": [Visit(OFFICE, "operation")],
    "pec_requests_provideroperation_retry": [Visit(OFFICE, "operation")],
    "pec_requests_provideroperation_drop": [Visit(OFFICE, "operation")],
    "pec_requests_provideroperation_retry_all": [Visit(OFFICE, "CREATE"), Visit(OFFICE, "NOTHING", 404)],
    "pec_requests_difference_changelist": _by_each(OFFICE),
    "audit_logentry_changelist": [Visit(OFFICE, query="?genere=record")],
    "audit_logentry_change": [Visit(OFFICE, "logentry")],
    "pec_requests_providerhealth_changelist": _by_each(FEDERATION),
    "pec_requests_providerhealth_change": [Visit(FEDERATION, "providerhealth")],
    "auth_user_password_change": [Visit(FEDERATION, "user")],
}
for _model in ("members_ordine", "members_albo", "members_user", "pec_requests_pecdomain"):
    _row = _model.rpartition("_")[2]
    _OFFICE |= {
        f"{_model}_changelist": _by_each(FEDERATION),
        f"{_model}_add": _by_each(FEDERATION),
        f"{_model}_change": [Visit(FEDERATION, _row)],
    }

_OFFICE |= {
    "members_ordine_letters_of": [Visit(FEDERATION, "ordine")],
    "members_ordine_letter": [Visit(FEDERATION, "ordine/pec_reminder")],
}
_OFFICE["members_ordine_changelist"].append(Visit(OFFICE, status=403))
PAGES = _PORTAL | {f"admin:{name}": visits for name, visits in _OFFICE.items()}

_NOBODY_MAY = "nobody may, so that no button leads there; the answer is the 403 of admin:members_member_delete"
NO_PAGES = {
    "account_set_password": "leads to members:password_forgotten",
    "members:home": "leads to members:record",
    "members:new_password": "members:invitation leads there",
    "members:password_link": "the pages of members:invitation",
    "admin:password_change": "leads to account_change_password",
    "security_txt": "for machines; people read it in help",
    "healthz": "for machines",
    "readyz": "for machines",
    "metrics": "for machines",
    "admin:members_ordine_letter_html": "a mail, where no script runs; looked at with all others in test_mails",
    "admin:members_ordine_letters": "leads on to admin:members_ordine_letters_of",
    "pec_requests:status": "a part of pec_requests:list, asked for by it",
    "admin:pec_requests_requestbatch_standing": "a part of admin:pec_requests_requestbatch_change, asked for by it",
    "pec_requests:panel-status": "a part of pec_requests:panel, asked for by it",
    "pec_requests:drop-recovery": "a button of the panel, and no page",
    "pec_requests:resend-recovery": "a button of the panel, and no page",
    "members:support_end": "a button of every page of a look as a member, and no page",
    "admin:members_staffrole_dismiss": "the page of admin:members_member_invite, with other words",
    "admin:members_staffrole_invite": "the page of admin:members_member_invite, with other words",
    "members:language": "a button on every page, and no page",
    "members:identity_start": "a button of account_login, in the walk with SPID",
    "members:identity_return": "only from the gateway: in the walk with SPID",
    "members:drop_email": "a button of the record, and no page",
    "mfa_authenticate": "only between password and second factor: in the walk of the second factor",
    "mfa_deactivate_totp": "only with a second factor: in the walk of the second factor",
    "mfa_view_recovery_codes": "only with a second factor: in the walk of the second factor",
    "mfa_generate_recovery_codes": "only with a second factor: in the walk of the second factor",
    "mfa_add_webauthn": "only after the password, once more: in the walk of the second factor",
    "mfa_remove_webauthn": "only with a security key: in the walk of the second factor",
    "mfa_reauthenticate_webauthn": "only with a security key: in the walk of the second factor",
    "sessions": "in the walk of the second factor",
    "admin:members_member_export": "a file",
    "admin:pec_requests_pecrequest_export": "a file",
    "admin:pec_requests_provideroperation_export": "a file",
    "admin:pec_requests_difference_export": "a file",
    "admin:members_tally_lift": "the page of admin:members_member_invite, with other words",
    "admin:members_tally_change": "the list says all there is to say: no link leads there",
    "admin:audit_logentry_export": "a file",
    "admin:members_importrun_progress": "a part of admin:members_importrun_change, asked for by it",
    "admin:members_importrun_rejects": "a file",
    "admin:password_change_done": "nothing leads there: admin:password_change goes to the portal's own page",
    "admin:autocomplete": "for scripts",
    "admin:jsi18n": "a script",
    "admin:view_on_site": "no object of ours has such an address",
    **{
        f"admin:{model}_delete": _NOBODY_MAY
        for model in (
            *("members_ordine", "members_albo", "members_user", "pec_requests_pecdomain", "pec_requests_pecrequest"),
            *("pec_requests_provideroperation", "pec_requests_providerhealth", "pec_requests_difference"),
            *("members_importrun", "pec_requests_requestbatch", "members_staffrole", "members_tally", "audit_logentry"),
        )
    },
    **{
        f"admin:{model}_add": _NOBODY_MAY
        for model in (
            *("pec_requests_pecrequest", "pec_requests_provideroperation"),
            *("pec_requests_providerhealth", "pec_requests_difference", "pec_requests_requestbatch", "members_tally"),
            "audit_logentry",
        )
    },
    "admin:pec_requests_difference_change": "the list says all there is to say: no link leads there",
    "admin:pec_requests_difference_history": "the list says all there is to say: no link leads there",
    **{
        f"admin:{model}_history": "the page of admin:members_member_history, with other lines"
        for model in (
            *("members_ordine", "members_albo", "members_user", "pec_requests_pecdomain", "pec_requests_pecrequest"),
            *("pec_requests_provideroperation", "members_importrun", "pec_requests_requestbatch", "members_staffrole"),
            *("members_tally", "audit_logentry"),
        )
    },
    "admin:pec_requests_providerhealth_history": "one row, that the system writes: no button leads there",
}

# The sandbox has another resolver, and another project's settings.
SANDBOX = {
    "": 200,
    "login/?tab=gestisci": 200,
    "login/?versione=accessibile": 200,
    "reset-password/": 200,
    "password/nessuno/": 404,
    "non-esiste/": 404,
    "_sandbox/mail/": 200,
    "_sandbox/mail/?to=nessuno@example.com": 200,
    "_sandbox/mail/0/": 404,
}
