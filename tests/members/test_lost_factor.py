"""Who has lost the second factor gets back in, and somebody else does not notice too late."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from post_office.models import Email

from audit.models import LogEntry
from tests.factories import MemberFactory

pytestmark = pytest.mark.django_db


def test_all_that_was_ends_and_the_owner_is_told(client: Client) -> None:
    member, other = MemberFactory(), MemberFactory()
    for user in (member.user, other.user):
        TOTP.activate(user, generate_totp_secret())
        RecoveryCodes.activate(user)
    client.force_login(member.user)
    call_command("remove_second_factor", member.tax_code, reason="riconosciuto allo sportello")
    assert set(Authenticator.objects.values_list("user_id", flat=True)) == {other.user.pk}
    assert client.get(reverse("members:record")).status_code == 302
    entry = LogEntry.objects.get(action="access.second_factor_removed")
    assert (entry.person, entry.ordine, entry.actor_name) == (member.pk, member.ordine.code, "remove_second_factor")
    assert "riconosciuto allo sportello" in entry.sentence
    assert [mail.to for mail in Email.objects.all()] == [[member.personal_email]]


def test_once_more_or_for_nobody_is_said() -> None:
    member = MemberFactory()
    for who in (member.tax_code, "nessuno@example.com"):
        with pytest.raises(CommandError):
            call_command("remove_second_factor", who, reason="x")
    assert not LogEntry.objects.exists() and not Email.objects.exists()
