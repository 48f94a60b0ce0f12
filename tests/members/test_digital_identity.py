"""SPID and CIE, against a real OpenID Connect provider: who comes in, as whom, and who does not."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
import requests
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from allauth.mfa.totp.internal.auth import yield_hotp_counters_from_time as counters
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client
from django.urls import reverse
from django_scopes import scopes_disabled
from post_office.models import Email
from stdnum.it import codicefiscale

from albo_pec.log_masks import masked
from audit.actors import Actor
from audit.models import LogEntry
from audit.words import sentence
from members import access, digital_identity, throttle
from members.access import LinkState
from members.gateways import find
from members.identity_problems import SENTENCES, IdentityRefused, Problem
from members.models import AccessLink, Member, User
from pec_requests import lifecycle, recovery
from pec_requests.models import PecDomain, PecRequest
from tests.factories import PASSWORD, MemberFactory, OrdineFactory, UserFactory, staff
from tests.oidc_provider import CLIENT_SECRET, SPID_LEVEL, TAX_CODE, Provider, gateway, start_provider
from tests.sandbox_process import free_ports

pytestmark = pytest.mark.django_db
OFFICE = Actor(name="segreteria")


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    running = start_provider()
    yield running.wait()
    running.stop()


@pytest.fixture(autouse=True)
def gateways(settings: Any, provider: Provider) -> None:
    """SPID at one issuer, CIE at another."""
    issuers = {"spid": provider.issuer, "cie": provider.other_issuer}
    settings.IDENTITY_GATEWAYS = {key: gateway(key, issuer) for key, issuer in issuers.items()}


def leave(client: Client, key: str = "spid", **posted: str) -> str:
    """Press the button: the address at the gateway that the page leads to."""
    page = client.post(reverse("members:identity_start", args=[key]), posted)
    assert page.status_code == 200, page.content.decode()
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', page.content.decode())
    assert found
    return unescape(found[1])


def back(client: Client, address: str) -> Any:
    """Follow the gateway's redirect to us."""
    parts = urlsplit(address)
    return client.get(f"{parts.path}?{parts.query}")


def come(client: Client, provider: Provider, subject: str, key: str = "spid", **posted: str) -> Any:
    """The whole way: the button, the gateway's page, and back."""
    return back(client, provider.says(leave(client, key, **posted), sub=subject))


def who(client: Client) -> int | None:
    """The primary key of whoever is signed in."""
    found = client.session.get("_auth_user_id")
    return int(found) if found else None


def refused(answer: Any, problem: Problem) -> bool:
    """Whether this is the page that says so, and offers another way."""
    page = unescape(answer.content.decode())
    return (
        answer.status_code == (503 if problem is Problem.DOWN else 403)
        and str(SENTENCES[problem]) in page
        and reverse("members:password_forgotten") in page
    )


def without_account(**kwargs: Any) -> Member:
    member: Member = MemberFactory(user=None, **kwargs)
    return member


def by_identity(**kwargs: Any) -> Member:
    """A member with an account, but no password."""
    member: Member = MemberFactory(**kwargs)
    member.user.set_unusable_password()
    member.user.save()
    return member


def pending(pec: PecRequest) -> str:
    """The recovery e-mail that waits for its confirmation."""
    with scopes_disabled():
        change = recovery.pending(pec)
    return change.new_email if change else ""


def omocodia(code: str) -> str:
    """The code of somebody else, who would have the same but for their last digit written as a letter."""
    plain = code[:14] + "LMNPQRSTUV"[int(code[14])]
    return str(plain + codicefiscale.calc_check_digit(plain))


# --- Coming in --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("key", ["spid", "cie"])
def test_a_member_comes_in_and_the_log_says_how(client: Client, provider: Provider, key: str) -> None:
    member = MemberFactory()
    following = reverse("pec_requests:list")
    assert f"Entra con {key.upper()}" in client.get(reverse("account_login")).content.decode()
    address = leave(client, key, next=following)
    before = client.session.session_key
    asked = dict(parse_qsl(urlsplit(address).query))
    assert asked["acr_values"] == SPID_LEVEL and asked["prompt"] == "login" and asked["code_challenge_method"] == "S256"
    assert asked["scope"] == "openid" and TAX_CODE in asked["claims"] and len(asked["nonce"]) > 40
    assert asked["redirect_uri"].endswith(f"/accedi/{key}/ritorno/")

    answer = back(client, provider.says(address, sub=provider.person(member.tax_code)))
    assert answer["Location"] == following and who(client) == member.user.pk
    assert client.session.session_key != before  # nobody who knew the old one comes in with it
    issuer = provider.issuer if key == "spid" else provider.other_issuer
    evidence = {"gateway": key.upper(), "level": SPID_LEVEL, "issuer": issuer}
    assert client.session["identity"] == evidence
    entry = LogEntry.objects.get(person=member.pk)
    assert (entry.action, entry.detail, entry.actor_id) == ("identity.login", evidence, member.user.pk)
    assert f"Accesso al portale con {key.upper()}" in sentence(entry.action, entry.detail)
    assert not SocialAccount.objects.exists()
    assert User.objects.get(pk=member.user.pk).check_password(PASSWORD)

    assert "presso il tuo gestore" in client.post(reverse("account_logout"), follow=True).content.decode()
    assert who(client) is None and "identity" not in client.session


@pytest.mark.parametrize(
    "told",
    [
        lambda code: {TAX_CODE: code.lower()},
        lambda code: {TAX_CODE: f"tinit-{code.lower()}"},
        lambda code: {TAX_CODE: None, "fiscal_number": f"TINIT-{code}"},
        lambda code: {TAX_CODE: [f"TINIT-{code}"]},  # SATOSA's attributes are lists
        lambda code: {TAX_CODE: "", "fiscal_number": code},
    ],
)
def test_the_code_in_any_of_the_forms_that_gateways_have(client: Client, provider: Provider, told: Any) -> None:
    member = MemberFactory()
    come(client, provider, provider.person(**told(member.tax_code)))
    assert who(client) == member.user.pk


def test_a_code_is_matched_as_it_stands(client: Client, provider: Provider) -> None:
    """Two people whose codes differ only by omocodia are two people."""
    member = MemberFactory()
    other = omocodia(member.tax_code)
    assert come(client, provider, provider.person(other)).status_code == 403 and who(client) is None
    namesake = MemberFactory(tax_code=other)
    come(client, provider, provider.person(other))
    assert who(client) == namesake.user.pk


def test_the_first_time_makes_the_account_and_ends_what_the_ordine_gave_out(client: Client, provider: Provider) -> None:
    member = without_account()
    access.invite(member, OFFICE)
    access.print_code(member, OFFICE)
    access.send_password_link(member.tax_code, Actor(name="visitatore"))  # which the person asked for
    subject = provider.person(member.tax_code)
    assert come(client, provider, subject)["Location"] == reverse("members:record")
    user = User.objects.get(member=member)
    assert who(client) == user.pk and not user.has_usable_password()
    states = {link.purpose: access.inspect_link(link.pk).state for link in AccessLink.objects.filter(user=user)}
    used = AccessLink.Purpose.INVITATION, AccessLink.Purpose.PRINTED
    assert states == {**dict.fromkeys(used, LinkState.USED), AccessLink.Purpose.PASSWORD: LinkState.VALID}

    member.refresh_from_db()
    access.tell_email_replaced(member, "prima@example.com")  # a link for a password would go elsewhere now
    assert Email.objects.latest("id").to == ["prima@example.com"]

    fresh = without_account()
    come(Client(), provider, provider.person(fresh.tax_code))
    again = Client()
    come(again, provider, provider.person(fresh.tax_code))
    made = User.objects.get(member=fresh)
    assert who(again) == made.pk and made.username.startswith("m-") and not made.has_usable_password()


def test_nobody_we_know_gets_no_account_but_a_page(client: Client, provider: Provider) -> None:
    ordine, code = OrdineFactory(name="Ordine di prova", phone="071 123"), omocodia(MemberFactory().tax_code)
    subject = provider.person(code, email=MemberFactory().personal_email)
    users = User.objects.count()
    answer = come(client, provider, subject)
    page = answer.content.decode()
    assert answer.status_code == 403 and ordine.name in page and ordine.phone in page and code not in page
    assert User.objects.count() == users and who(client) is None
    entry = LogEntry.objects.get(action="identity.unknown")
    assert entry.person is None and code not in str(entry.detail) and entry.detail["tax_code"].startswith(code[:3])
    assert code not in str(dict(client.session))


def test_a_closed_account_stays_closed(client: Client, provider: Provider) -> None:
    member = MemberFactory(user=UserFactory(is_active=False))
    assert come(client, provider, provider.person(member.tax_code))["Location"] == reverse("account_inactive")
    assert who(client) is None and not LogEntry.objects.filter(action="identity.login").exists()


def test_two_people_at_one_browser(client: Client, provider: Provider) -> None:
    first, second = MemberFactory(), MemberFactory()
    come(client, provider, provider.person(first.tax_code))
    come(client, provider, provider.person(second.tax_code))
    assert who(client) == second.user.pk
    actions = list(LogEntry.objects.filter(person=first.pk).order_by("id").values_list("action", flat=True))
    assert actions == ["identity.login", "access.logout"]
    come(client, provider, provider.person(omocodia(first.tax_code)))  # nobody we know, but not the second either
    assert who(client) is None


def test_staff_still_need_their_second_factor(client: Client, provider: Provider) -> None:
    member = MemberFactory()
    assert member.user
    staff(member.ordine, user=member.user)
    secret = generate_totp_secret()
    TOTP.activate(member.user, secret)
    assert come(client, provider, provider.person(member.tax_code))["Location"] == reverse("mfa_authenticate")
    assert who(client) is None
    code = format_hotp_value(hotp_value(secret, next(counters())))
    client.post(reverse("mfa_authenticate"), {"code": code})
    assert who(client) == member.user.pk
    assert LogEntry.objects.get(person=member.pk).detail["level"] == SPID_LEVEL


# --- Not coming in ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("claims", "problem"),
    [
        ({"acr": "https://www.spid.gov.it/SpidL1"}, Problem.LEVEL),
        ({"acr": None}, Problem.LEVEL),
        ({"acr": [SPID_LEVEL]}, Problem.LEVEL),
        ({"iss": "http://localhost"}, Problem.NOT_TRUSTED),
        ({"aud": "somebody-else"}, Problem.NOT_TRUSTED),
        ({"aud": ["albo-spid", "somebody-else"]}, Problem.NOT_TRUSTED),
        ({"azp": "somebody-else"}, Problem.NOT_TRUSTED),
        ({"nonce": "of-another-journey"}, Problem.NOT_TRUSTED),
        ({"exp": 1_000_000_000}, Problem.NOT_TRUSTED),
        ({"iat": 9_000_000_000}, Problem.NOT_TRUSTED),
        ({"auth_time": 1_000_000_000}, Problem.NOT_TRUSTED),  # the gateway remembered somebody
        ({"auth_time": "now"}, Problem.NOT_TRUSTED),
        ({TAX_CODE: None}, Problem.NO_TAX_CODE),
        ({TAX_CODE: "VATIT-12345678901"}, Problem.NO_TAX_CODE),
        ({TAX_CODE: {"code": "x"}}, Problem.NO_TAX_CODE),
        ({TAX_CODE: "TINIT-\x00" * 9}, Problem.NO_TAX_CODE),
    ],
)
def test_what_the_gateway_says_must_be_right(
    client: Client, provider: Provider, claims: dict[str, Any], problem: Problem
) -> None:
    member = MemberFactory()
    answer = come(client, provider, provider.person(member.tax_code, **claims))
    assert refused(answer, problem) and who(client) is None
    told = (
        ("identity.level_too_low", "level", str(claims["acr"]))
        if problem is Problem.LEVEL
        else ("identity.refused", "problem", problem.value)
    )
    assert [(e.action, told[1], e.detail[told[1]]) for e in LogEntry.objects.all()] == [told]


def test_whoever_changes_their_mind_is_told_so_and_goes_on_where_they_were_going(
    client: Client, provider: Provider
) -> None:
    left = leave(client, next=reverse("pec_requests:list"))
    state = dict(parse_qsl(urlsplit(left).query))["state"]  # which this provider forgets where it denies
    answer = back(client, f"{provider.says(left, action='deny')}&state={state}")
    assert refused(answer, Problem.CANCELLED)
    assert f'name="next" value="{reverse("pec_requests:list")}"' in answer.content.decode()


@pytest.mark.parametrize(
    ("error", "description", "problem"),
    [
        ("access_denied", "ErrorCode nr19", Problem.TOO_MANY_ATTEMPTS),
        ("access_denied", "ErrorCode nr20", Problem.NO_CREDENTIALS),
        ("access_denied", "Authentication failed: ErrorCode nr21.", Problem.TIMED_OUT),
        ("access_denied", "ERRORCODE NR22", Problem.NO_CONSENT),
        ("server_error", "ErrorCode nr23", Problem.SUSPENDED),
        ("access_denied", "ErrorCode nr24", Problem.REFUSED),
        ("access_denied", "ErrorCode nr25", Problem.CANCELLED),
        ("access_denied", "ErrorCode nr30", Problem.WRONG_KIND),
        ("temporarily_unavailable", "", Problem.DOWN),
        ("<script>", "<script>", Problem.REFUSED),
    ],
)
def test_what_spid_says_went_wrong(client: Client, error: str, description: str, problem: Problem) -> None:
    answer = client.get(
        reverse("members:identity_return", args=["spid"]), {"error": error, "error_description": description}
    )
    assert refused(answer, problem) and "<script>" not in answer.content.decode()


def test_an_answer_is_good_once_and_in_the_browser_that_asked(client: Client, provider: Provider) -> None:
    member = MemberFactory()
    address = provider.says(leave(client), sub=provider.person(member.tax_code))
    query = dict(parse_qsl(urlsplit(address).query))
    assert not [secret for secret in query.values() if secret in masked(f"GET {address}")]
    stranger = Client()
    leave(stranger)
    assert refused(back(stranger, address), Problem.EXPIRED) and who(stranger) is None
    back(client, address)
    assert who(client) == member.user.pk
    assert back(client, address)["Location"] == reverse("account_login")  # "back": already in
    assert who(client) == member.user.pk

    client.post(reverse("account_logout"))
    assert refused(back(client, address), Problem.EXPIRED)
    # The used code, for a journey that is open.
    journey = dict(parse_qsl(urlsplit(leave(client)).query))
    query["state"] = journey["state"]
    assert refused(client.get(reverse("members:identity_return", args=["spid"]), query), Problem.REFUSED)
    assert refused(client.get(reverse("members:identity_return", args=["spid"])), Problem.EXPIRED)


def test_one_gateways_answer_is_no_good_for_the_other(client: Client, provider: Provider) -> None:
    member = MemberFactory()
    address = provider.says(leave(client, "cie"), sub=provider.person(member.tax_code))
    assert refused(back(client, address.replace("/cie/", "/spid/")), Problem.EXPIRED)
    # Its code, for a journey to the other one.
    journey = dict(parse_qsl(urlsplit(leave(client, "spid")).query))
    code = dict(parse_qsl(urlsplit(address).query))["code"]
    here = reverse("members:identity_return", args=["spid"])
    assert refused(client.get(here, {"code": code, "state": journey["state"]}), Problem.REFUSED)
    journey = dict(parse_qsl(urlsplit(leave(client, "spid")).query))
    query = {"code": code, "state": journey["state"], "iss": provider.other_issuer}
    assert refused(client.get(here, query), Problem.NOT_TRUSTED)
    assert who(client) is None


def test_a_gateway_that_is_away_or_is_another(client: Client, provider: Provider, settings: Any) -> None:
    start, spid = reverse("members:identity_start", args=["spid"]), settings.IDENTITY_GATEWAYS["spid"]
    address = provider.says(leave(client), sub=provider.person(MemberFactory().tax_code))
    away = f"http://127.0.0.1:{free_ports(1)[0]}"
    spid["issuer"] = away
    assert refused(client.post(start), Problem.DOWN)
    assert refused(back(client, address), Problem.DOWN)
    with socket.create_server(("127.0.0.1", int(away.rpartition(":")[2]))) as listening:
        listening.settimeout(0)
        assert refused(client.post(start), Problem.DOWN)
        with pytest.raises(BlockingIOError):
            listening.accept()  # nobody even called: the others did not wait for it again
    spid["issuer"] = f"{provider.issuer}/nothing-here"
    assert refused(client.post(start), Problem.DOWN)
    spid["issuer"] = f"{provider.issuer}/."  # the same machine, that gives itself another name
    assert refused(client.post(start), Problem.NOT_TRUSTED)


def test_nobody_is_followed_elsewhere_with_our_secret(client: Client, provider: Provider, settings: Any) -> None:
    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(307)
            self.send_header("Location", f"{provider.issuer}{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Not on the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        settings.IDENTITY_GATEWAYS["spid"]["issuer"] = f"http://127.0.0.1:{server.server_port}"
        assert refused(client.post(reverse("members:identity_start", args=["spid"])), Problem.DOWN)
        server.shutdown()


def test_only_the_gateways_own_signature_counts(rf: Any, provider: Provider, settings: Any) -> None:
    adapter = digital_identity.GatewayAdapter(rf.get("/"), find("spid"))
    now = int(time.time())
    claims = {"iss": provider.issuer, "aud": "albo-spid", "sub": "x", "iat": now, "exp": now + 60, "nonce": "n"}
    keys = requests.get(f"{provider.issuer}/jwks", timeout=10).json()["keys"]
    ours = rsa.generate_private_key(65537, 2048)
    name = {"kid": keys[0]["kid"]} if "kid" in keys[0] else {}
    forged = [
        jwt.encode(claims, ours, "RS256", headers=name),
        jwt.encode(claims, ours, "RS256", headers={"kid": "another"}),
        jwt.encode(claims, "", "none", headers=name),
        jwt.encode(claims, CLIENT_SECRET, "HS256", headers=name),
        "not.a.token",
        "",
    ]
    for token in forged:
        with pytest.raises((jwt.PyJWTError, IdentityRefused)):
            adapter.verified(token, nonce="n")


# --- The button -------------------------------------------------------------------------------------------------------
def test_the_button(client: Client, provider: Provider, settings: Any) -> None:
    start = reverse("members:identity_start", args=["spid"])
    assert client.get(start)["Location"] == reverse("account_login")
    assert Client(enforce_csrf_checks=True).post(start).status_code == 403
    member = MemberFactory()
    answer = come(client, provider, provider.person(member.tax_code), next="https://altrove.example/")
    assert answer["Location"] == reverse("members:record")
    codes = [Client().post(start).status_code for _time in range(throttle.IDENTITY.times)]
    assert codes == [200] * (throttle.IDENTITY.times - 1) + [429]  # one went before

    settings.IDENTITY_GATEWAYS["spid"]["client_secret"] = ""
    page = Client().get(reverse("account_login")).content.decode()
    assert "Entra con CIE" in page and "Entra con SPID" not in page
    assert Client().post(start).status_code == 404


def test_the_settings_may_add_to_what_is_asked(client: Client, settings: Any) -> None:
    settings.IDENTITY_GATEWAYS["spid"]["params"] = "kc_idp_hint=spid&acr_values=2&nonce=fixed"
    asked = dict(parse_qsl(urlsplit(leave(client)).query))
    assert (asked["kc_idp_hint"], asked["acr_values"]) == ("spid", "2") and asked["nonce"] != "fixed"


# --- Proving it again -------------------------------------------------------------------------------------------------
GUARDED = ("mfa_activate_totp", "mfa_deactivate_totp", "mfa_generate_recovery_codes", "mfa_view_recovery_codes")


@pytest.mark.parametrize("page", [*GUARDED, "mfa_add_webauthn"])
def test_who_has_no_password_proves_it_by_their_identity(client: Client, provider: Provider, page: str) -> None:
    member = by_identity()
    client.force_login(member.user)
    question = f"{reverse('account_reauthenticate')}?next={reverse(page)}"
    for answer in (client.get(reverse(page)), client.post(reverse(page))):
        assert answer["Location"].replace("%2F", "/") == question
    if page != GUARDED[0]:
        return
    asked = client.get(question).content.decode()
    assert "Conferma con SPID" in asked and 'type="password"' not in asked
    subject = provider.person(member.tax_code)
    before = client.session.session_key
    assert come(client, provider, subject, confirm="1", next=reverse(page))["Location"] == reverse(page)
    assert client.get(reverse(page)).status_code == 200 and who(client) == member.user.pk
    assert client.session.session_key != before  # whoever had the last one has no part in it
    assert LogEntry.objects.get(person=member.pk).action == "identity.confirmed"


def test_who_has_just_come_in_need_not_prove_it_again(client: Client, provider: Provider) -> None:
    come(client, provider, provider.person(without_account().tax_code))
    assert client.get(reverse(GUARDED[0])).status_code == 200


def test_only_oneself_and_only_now_proves_it(client: Client, provider: Provider) -> None:
    member, other = by_identity(), MemberFactory()
    client.force_login(member.user)
    for subject, problem in (
        (provider.person(other.tax_code), Problem.OTHER_PERSON),
        (provider.person(omocodia(other.tax_code)), Problem.OTHER_PERSON),
        (provider.person(member.tax_code, auth_time=int(time.time()) - 600), Problem.NOT_TRUSTED),
        (provider.person(member.tax_code, auth_time=None), Problem.NOT_TRUSTED),
        (provider.person(member.tax_code, acr="https://www.spid.gov.it/SpidL1"), Problem.LEVEL),
    ):
        answer = come(client, provider, subject, confirm="1", next=reverse(GUARDED[0]))
        page = unescape(answer.content.decode())
        assert answer.status_code == 403 and str(SENTENCES[problem]) in page
        assert f"{reverse('account_reauthenticate')}?next=" in page and who(client) == member.user.pk
        assert client.get(reverse(GUARDED[0])).status_code == 302
    # Somebody else's confirmation, begun before they left this browser.
    address = provider.says(leave(client, confirm="1"), sub=provider.person(member.tax_code))
    client.post(reverse("account_logout"))
    assert refused(back(client, address), Problem.EXPIRED) and who(client) is None


def test_a_gateway_that_does_not_say_when_is_believed_by_those_who_come_in(client: Client, provider: Provider) -> None:
    member = MemberFactory()
    come(client, provider, provider.person(member.tax_code, auth_time=None))
    assert who(client) == member.user.pk


def test_the_recovery_email_changes_without_a_password(client: Client, provider: Provider) -> None:
    """Somebody whom SPID let in has none to type: they have just proved who they are, once."""
    member = without_account()
    with scopes_disabled():
        pec = lifecycle.request_pec([member.pk], PecDomain.objects.get(name="tsrm.org"), OFFICE).created[0]
    page = reverse("pec_requests:change-recovery", args=[pec.public_id])
    subject = provider.person(member.tax_code)
    come(client, provider, subject)
    for address in ("nuova@example.com", "altra@example.com"):
        assert 'type="password"' not in client.get(page).content.decode()
        assert client.post(page, {"email": address})["Location"] == reverse("pec_requests:panel", args=[pec.public_id])
        assert pending(pec) == address
        assert reverse("account_reauthenticate") in client.post(page, {"email": "terza@example.com"})["Location"]
        assert pending(pec) == address
        assert come(client, provider, subject, confirm="1", next=page)["Location"] == page

    member.refresh_from_db()
    member.user.set_password(PASSWORD)
    member.user.save()
    client.force_login(member.user)
    assert "al posto della password" in client.get(page).content.decode()
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    assert 'type="password"' not in client.get(page).content.decode()


def test_without_a_gateway_any_more_a_password_comes_first(client: Client, settings: Any) -> None:
    client.force_login(by_identity().user)
    settings.IDENTITY_GATEWAYS = {}
    assert client.get(reverse(GUARDED[0]))["Location"] == reverse("account_set_password")
