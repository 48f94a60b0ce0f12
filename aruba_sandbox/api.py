"""The table of the API: which address is which call, and what answers it."""

from collections.abc import Callable

from django.conf import settings
from django.urls import URLPattern, re_path

from aruba_sandbox import account_acts, accounts, auth, convention, owners, representations
from aruba_sandbox.endpoint import Call, Endpoint, Handler, unknown_address
from aruba_sandbox.fields import Fields
from aruba_sandbox.models import Account, Owner
from aruba_sandbox.paging import PageRequest, page

AUTH = "public/auth/v2"
OWNERS = "public/partner/pec/v2/owners"
ACCOUNTS = "public/partner/pec/v3/accounts"


def urls() -> list[URLPattern]:
    """Every address under ``/service``, with or without a slash at its end."""
    table = {**AUTH_CALLS, **OWNER_CALLS, **ACCOUNT_CALLS}
    if settings.SANDBOX_CONVENTION_CALLS:
        table |= CONVENTION_CALLS
    known = [re_path(rf"^service/{address}/?$", endpoint) for address, endpoint in table.items()]
    return [*known, re_path(r"^service(?:/.*)?$", unknown_address)]


def _with_body(verb: Callable[[Fields], object]) -> Handler:
    return lambda call: verb(call.body)


def _owner_after(verb: Callable[[Fields], Owner]) -> Handler:
    return lambda call: representations.owner(verb(call.body))


def _account_after(verb: Callable[[Fields], Account]) -> Handler:
    return lambda call: representations.account(verb(call.body))


def _owner_by_id(call: Call) -> object:
    return representations.owner(owners.get(int(call.path["owner_id"])))


def _search_owners(call: Call) -> object:
    wanted = PageRequest.parse(call.query)
    return page(owners.search(call.body), wanted, owners.SORTABLE, representations.owner)


def _info(call: Call) -> object:
    account = accounts.get(call.body.text("name"))
    return representations.account(account, with_recovery_email=_extra_data(call))


def _search_accounts(call: Call) -> object:
    extra = _extra_data(call)
    return page(
        accounts.search(call.body),
        PageRequest.parse(call.query),
        accounts.SORTABLE,
        lambda account: representations.account(account, with_recovery_email=extra),
    )


def _extra_data(call: Call) -> bool:
    asked = call.body.flag("loadExtraData") or call.query.get("loadExtraData") == "true"
    return asked and bool(settings.SANDBOX_CONVENTION_CALLS)


def _types(_call: Call) -> object:
    return list(representations.ACCOUNT_TYPES.values())


AUTH_CALLS = {
    f"{AUTH}/token": Endpoint("token", public=True, POST=_with_body(auth.authenticate)),
    f"{AUTH}/refresh": Endpoint("token", public=True, POST=_with_body(auth.refresh)),
}
OWNER_CALLS = {
    OWNERS: Endpoint("owners", POST=_owner_after(owners.create), PATCH=_owner_after(owners.update)),
    f"{OWNERS}/search": Endpoint("owners", POST=_search_owners),
    rf"{OWNERS}/(?P<owner_id>[0-9]{{1,18}})": Endpoint("owners", GET=_owner_by_id),
}
ACCOUNT_CALLS = {
    ACCOUNTS: Endpoint("create", POST=_account_after(accounts.create)),
    f"{ACCOUNTS}/accountAvailable": Endpoint("available", POST=_with_body(accounts.available)),
    f"{ACCOUNTS}/info": Endpoint("info", POST=_info),
    f"{ACCOUNTS}/search": Endpoint("search", POST=_search_accounts),
    f"{ACCOUNTS}/suspend": Endpoint("suspend", POST=_account_after(account_acts.suspend)),
    f"{ACCOUNTS}/suspend-undo": Endpoint("suspend-undo", POST=_account_after(account_acts.suspend_undo)),
    f"{ACCOUNTS}/cancellation": Endpoint("cancellation", POST=_account_after(account_acts.cancel)),
    f"{ACCOUNTS}/cancellation-undo": Endpoint("cancellation-undo", POST=_account_after(account_acts.cancel_undo)),
    f"{ACCOUNTS}/owner-change": Endpoint("owner-change", POST=_account_after(account_acts.change_owner)),
    f"{ACCOUNTS}/types": Endpoint("types", GET=_types),
}
CONVENTION_CALLS = {
    f"{ACCOUNTS}/activate": Endpoint("activate", POST=_account_after(convention.activate)),
    f"{ACCOUNTS}/password-reset": Endpoint("password-reset", POST=_with_body(convention.reset_password)),
    f"{ACCOUNTS}/recovery-email": Endpoint("recovery-email", POST=_account_after(convention.change_recovery_email)),
}
