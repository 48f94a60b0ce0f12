"""The pages a holder knows: login, the casella, its password."""

from http import HTTPStatus

from django.contrib.auth.hashers import make_password
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from aruba_sandbox import addresses, background, convention, holder_session, logins, password_links
from aruba_sandbox.holder_forms import ChangePasswordForm, LoginForm, NewPasswordForm, ResetForm
from aruba_sandbox.models import Account
from aruba_sandbox.password_links import Dead

WEBMAIL, MANAGE = "webmail", "gestisci"


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password")
@holder_session.holder_page
def login(request: HttpRequest) -> HttpResponse:
    """Log in, to read mail (Webmail) or to look after the casella (Gestisci)."""
    form = LoginForm(request.POST or None)
    tab = MANAGE if request.GET.get("tab") == MANAGE else WEBMAIL
    if form.is_valid():
        result = logins.log_in(form.cleaned_data["address"], form.cleaned_data["password"])
        if isinstance(result, Account):
            holder_session.start(request, result, version=form.cleaned_data["version"] or "smart")
            if form.cleaned_data["stay"]:
                holder_session.stay(request)
            return redirect("casella" if tab == WEBMAIL else "manage")
        form.add_error(None, result.value)
    context = {
        "form": form,
        "tab": tab,
        "notice": holder_session.take_notice(request),
        "plain": request.GET.get("versione") == "accessibile",
    }
    return render(request, "aruba_sandbox/login.html", context)


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
    return render(request, "aruba_sandbox/casella.html", context)


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
    context = _facts(account) | {"form": form, "tab": MANAGE, "notice": holder_session.take_notice(request)}
    return render(request, "aruba_sandbox/manage.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@holder_session.holder_page
def reset_password(request: HttpRequest) -> HttpResponse:
    """Ask for a reset link. Whether anything matches is found out after the answer, which is always the same."""
    form = ResetForm(request.POST or None)
    if form.is_valid():
        address, holder_code = form.cleaned_data["address"], form.cleaned_data["holder_code"]
        background.later(lambda: convention.reset_password_of_holder(address, holder_code))
        return redirect("reset_sent")
    return render(request, "aruba_sandbox/reset_password.html", {"form": form})


@require_safe
def reset_sent(request: HttpRequest) -> HttpResponse:
    """The notice that a link is on its way, if there is a casella to send it for."""
    return render(request, "aruba_sandbox/reset_sent.html")


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
        return render(request, "aruba_sandbox/new_password.html", {"form": form, "account": link.account})
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
    return render(request, "aruba_sandbox/dead_link.html", {"reason": reason.value}, status=status)
