"""Who gets in, with what, and what they may then do."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import MD5PasswordHasher, PBKDF2PasswordHasher, make_password
from django.test import Client, override_settings
from django.urls import reverse

from albo_pec import settings as project_settings
from audit.models import LogEntry
from members.models import StaffRole, User
from tests.factories import PASSWORD, MemberFactory, OrdineFactory, UserFactory, staff

pytestmark = pytest.mark.django_db


def enter(identifier: str, password: str = PASSWORD) -> Any:
    return authenticate(None, username=identifier, password=password)


def test_a_codice_fiscale_in_any_spelling() -> None:
    member = MemberFactory()
    code = member.tax_code
    assert {enter(spelling) for spelling in (code, code.lower(), f" {code[:6]} {code[6:]} ")} == {member.user}


def test_the_password_counts() -> None:
    assert enter(MemberFactory().tax_code, "un'altra") is None


def test_passwords_are_kept_by_argon2_and_old_ones_are_kept_anew() -> None:
    member = MemberFactory()
    member.user.password = make_password(PASSWORD, hasher=PBKDF2PasswordHasher())
    member.user.save()
    with override_settings(PASSWORD_HASHERS=project_settings.PASSWORD_HASHERS):
        assert enter(member.tax_code) == member.user
        member.user.refresh_from_db()
        assert member.user.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
        assert enter(member.tax_code) == member.user


def test_an_email_that_one_person_has() -> None:
    member = MemberFactory(personal_email="Mario.Rossi@example.com")
    assert enter("mario.rossi@EXAMPLE.com") == member.user


def test_an_email_that_two_members_share_names_nobody() -> None:
    MemberFactory(personal_email="casa@example.com")
    MemberFactory(personal_email="Casa@example.com", user=None)
    assert enter("casa@example.com") is None


def test_an_email_that_a_member_shares_with_staff_names_nobody() -> None:
    MemberFactory(personal_email="casa@example.com")
    User.objects.filter(pk=staff(OrdineFactory()).pk).update(email="casa@example.com")
    assert enter("casa@example.com") is None


def test_staff_by_user_name_and_by_email() -> None:
    user = staff(OrdineFactory())
    User.objects.filter(pk=user.pk).update(email="giulia@ordine.example", username="ordine.prova")
    assert enter("ordine.prova") == enter("Ordine.Prova") == enter("giulia@ordine.example") == user


def test_one_person_with_two_hats_is_one_person() -> None:
    user = staff(OrdineFactory())
    User.objects.filter(pk=user.pk).update(email="casa@example.com")
    MemberFactory(personal_email="casa@example.com", user=user)
    assert enter("casa@example.com") == user


def test_a_deactivated_account_stays_out() -> None:
    member = MemberFactory(user=UserFactory(is_active=False))
    assert enter(member.tax_code) is None


def without_password() -> User:
    user = UserFactory()
    user.set_unusable_password()
    user.save()
    return user


@pytest.mark.parametrize(
    "identifier",
    [
        lambda: "RSSMRA80A01H501U",
        lambda: "nessuno@example.com",
        lambda: "nessuno",
        lambda: MemberFactory().tax_code,
        lambda: MemberFactory(user=None).tax_code,
        lambda: MemberFactory(user=UserFactory(is_active=False)).tax_code,
        lambda: MemberFactory(user=without_password()).tax_code,
    ],
)
def test_one_hash_whoever_exists(identifier: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    typed, hashes = identifier(), []
    encode = MD5PasswordHasher.encode
    monkeypatch.setattr(MD5PasswordHasher, "encode", lambda *args, **kw: hashes.append(1) or encode(*args, **kw))
    assert enter(typed, "sbagliata") is None
    assert len(hashes) == 1


def log_in(client: Client, identifier: str, password: str = PASSWORD, **extra: Any) -> Any:
    return client.post(reverse("account_login"), {"login": identifier, "password": password, **extra})


def test_members_land_on_their_record_and_staff_in_the_office(client: Client) -> None:
    member, office = MemberFactory(), staff(OrdineFactory())
    assert log_in(client, member.tax_code.lower())["Location"] == reverse("members:record")
    client.logout()
    assert log_in(client, office.username)["Location"] == reverse("admin:index")


def test_the_page_asked_for_comes_first(client: Client) -> None:
    answer = log_in(client, MemberFactory().tax_code, next=reverse("pec_requests:list"))
    assert answer["Location"] == reverse("pec_requests:list")


def test_the_answer_is_the_same_whoever_exists(client: Client) -> None:
    known = log_in(client, MemberFactory().tax_code, "sbagliata")
    unknown = log_in(client, "RSSMRA80A01H501U", "sbagliata")
    errors = [answer.context["form"].non_field_errors() for answer in (known, unknown)]
    assert known.status_code == unknown.status_code == 200
    assert errors[0] == errors[1] and "non sono corretti" in errors[0][0]


def test_comings_and_goings_are_in_the_members_log(client: Client) -> None:
    member = MemberFactory()
    log_in(client, member.tax_code, "sbagliata")
    log_in(client, member.tax_code)
    client.post(reverse("account_logout"))
    entries = LogEntry.objects.filter(person=member.pk).order_by("id")
    assert [entry.action for entry in entries] == ["access.login_failed", "access.login", "access.logout"]
    assert {entry.ip for entry in entries} == {"127.0.0.1"}


def test_spellings_do_not_multiply_the_attempts(client: Client) -> None:
    code = MemberFactory().tax_code
    for spelling in (code, code.lower(), f" {code}", f"{code[:6]} {code[6:]}", code.title()) * 4:
        log_in(client, spelling, "sbagliata")
    answer = log_in(client, code)
    assert "Troppi tentativi" in answer.context["form"].non_field_errors()[0]
    assert "_auth_user_id" not in client.session


def test_nobody_signs_up(client: Client) -> None:
    assert client.get("/utente/sicurezza/signup/").status_code == 404
    assert client.get("/accounts/signup/").status_code == 404


def test_roles_carry_their_permissions() -> None:
    ordine = OrdineFactory()
    clerk, chief = staff(ordine, StaffRole.Role.OPERATORE), staff(ordine)
    assert clerk.has_perm("pec_requests.request_pec") and not clerk.has_perm("pec_requests.close_pec")
    assert chief.has_perm("pec_requests.close_pec") and chief.has_module_perms("audit")
    assert not MemberFactory().user.has_perm("members.view_member")
    assert UserFactory(is_superuser=True).has_perm("pec_requests.close_pec")


def test_a_role_reaches_as_far_as_its_ordine() -> None:
    here, there = OrdineFactory(), OrdineFactory()
    user = staff(here)
    StaffRole.objects.create(user=user, ordine=there, role=StaffRole.Role.OPERATORE)
    mine, theirs = MemberFactory(ordine=here), MemberFactory(ordine=there)
    assert user.has_perm("pec_requests.close_pec", mine)
    assert not user.has_perm("pec_requests.close_pec", theirs)
    assert not user.has_perm("members.view_member", MemberFactory())


def test_roles_are_read_once_per_request(django_assert_num_queries: Any) -> None:
    user = staff(OrdineFactory(), StaffRole.Role.OPERATORE)
    with django_assert_num_queries(1):
        assert user.get_all_permissions() == user.get_all_permissions()
