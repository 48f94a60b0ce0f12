"""The pages a holder knows: login, the casella, its password."""

from http import HTTPStatus
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from aruba_sandbox import addresses, background, convention, holder_session, logins, password_links
from aruba_sandbox.holder_forms import ChangePasswordForm, LoginForm, NewPasswordForm, ResetForm
from aruba_sandbox.models import Account
from aruba_sandbox.password_links import Dead

WEBMAIL, MANAGE = "webmail", "gestisci"
_SENT_TO = "aruba_sandbox.reset_sent"


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password")
@holder_session.holder_page
def login(request: HttpRequest) -> HttpResponse:
    """Log in, to read mail (Webmail) or to look after the casella (Gestisci)."""
    form = LoginForm(request.POST or None)
    tab = MANAGE if request.GET.get("tab") == MANAGE else WEBMAIL
    if version := request.GET.get("versione"):
        holder_session.choose_plain(request, version == "accessibile")
    if form.is_valid():
        result = logins.log_in(form.cleaned_data["address"], form.cleaned_data["password"])
        if isinstance(result, Account):
            holder_session.start(request, result, version=form.cleaned_data["version"] or "smart")
            if form.cleaned_data["stay"]:
                holder_session.stay(request)
            return redirect("casella" if tab == WEBMAIL else "manage")
        form.add_error(None, result.value)
    return _page(request, "login", {"form": form, "tab": tab})


@require_POST
@holder_session.holder_page
def logout(request: HttpRequest) -> HttpResponse:
    """Log out."""
    holder_session.end(request)
    holder_session.notify(request, "Sei uscito dalla casella.")
    return redirect("login")


@require_safe
@holder_session.casella_page
def casella(request: HttpRequest, account: Account) -> HttpResponse:
    """The mailbox: its data and one message of welcome."""
    context = _facts(account) | {"tab": WEBMAIL, "version": request.session.get("version")}
    return _page(request, "casella", context)


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters()
@holder_session.casella_page
def manage(request: HttpRequest, account: Account) -> HttpResponse:
    """The casella's data, and a new password."""
    form = ChangePasswordForm(account, request.POST or None)
    if form.is_valid():
        account.password = make_password(form.cleaned_data["new_password"])
        account.save(update_fields=["password"])
        holder_session.start(request, account)
        holder_session.notify(request, "La password è stata cambiata.")
        return redirect("manage")
    return _page(request, "manage", _facts(account) | {"form": form, "tab": MANAGE})


@require_http_methods(["GET", "HEAD", "POST"])
@holder_session.holder_page
def reset_password(request: HttpRequest) -> HttpResponse:
    """Ask for a reset link. It is made after the answer, which looks the same and takes as long if nothing matches."""
    form = ResetForm(request.POST or None)
    if form.is_valid():
        address, holder_code = form.cleaned_data["address"], form.cleaned_data["holder_code"]
        # In the address and signed: two tabs do not mix their notices up, and nobody makes one up.
        sent_to = signing.dumps(convention.reset_goes_to(address, holder_code), salt=_SENT_TO)
        background.later(lambda: convention.reset_password_of_holder(address, holder_code))
        return redirect(f"{reverse('reset_sent')}?{urlencode({'a': sent_to})}")
    return _page(request, "reset_password", {"form": form})


@require_safe
@holder_session.holder_page
def reset_sent(request: HttpRequest) -> HttpResponse:
    """The notice that a link is on its way, if there is a casella to send it for; without a request, back to it."""
    try:
        sent_to = signing.loads(request.GET.get("a", ""), salt=_SENT_TO, max_age=settings.RESET_LINK_HOURS * 3600)
    except signing.BadSignature:
        holder_session.notify(request, "Per ricevere il collegamento, scrivi prima i dati della casella.")
        return redirect("reset_password")
    return _page(request, "reset_sent", {"sent_to": sent_to, "hours": settings.RESET_LINK_HOURS})


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters()
@holder_session.holder_page
def new_password(request: HttpRequest, secret: str) -> HttpResponse:
    """Set a password through a mailed link, or say why the link no longer works."""
    link = password_links.look_up(secret)
    if isinstance(link, Dead):
        return _dead_link(request, link)
    form = NewPasswordForm(request.POST or None)
    if not form.is_valid():
        return _page(request, "new_password", {"form": form, "account": link.account})
    result = password_links.redeem(secret, form.cleaned_data["new_password"])
    if isinstance(result, Dead):
        return _dead_link(request, result)
    holder_session.notify(request, "La password è stata impostata: ora puoi accedere.")
    return redirect("login")


def urls() -> list[URLPattern]:
    """The holders' addresses."""
    return [
        path("", login),
        path("login/", login, name="login"),
        path("logout/", logout, name="logout"),
        path("casella/", casella, name="casella"),
        path("casella/gestisci/", manage, name="manage"),
        path("reset-password/", reset_password, name="reset_password"),
        path("reset-password/inviato/", reset_sent, name="reset_sent"),
        path("password/<str:secret>/", new_password, name="new_password"),
    ]


def _facts(account: Account) -> dict[str, object]:
    return {"account": account, "recovery_email": addresses.masked(account.recovery_email)}


def _dead_link(request: HttpRequest, reason: Dead) -> HttpResponse:
    status = HTTPStatus.NOT_FOUND if reason is Dead.UNKNOWN else HTTPStatus.GONE
    return _page(request, "dead_link", {"reason": reason.name, "sentence": reason.value}, status)


def _page(
    request: HttpRequest, name: str, context: dict[str, object], status: HTTPStatus = HTTPStatus.OK
) -> HttpResponse:
    frame = {"notice": holder_session.take_notice(request), "plain": holder_session.is_plain(request)}
    return render(request, f"aruba_sandbox/{name}.html", context | frame, status=status)
