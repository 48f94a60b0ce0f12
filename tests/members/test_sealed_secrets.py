"""Seeds of second factors: of no use to who has only the database."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from allauth.mfa.totp.internal.auth import yield_hotp_counters_from_time as counters
from cryptography.exceptions import InvalidTag

from members.sealed_secrets import seal, unseal
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def test_sealed_twice_it_is_another_text_and_reads_the_same() -> None:
    one, other = seal("segreto"), seal("segreto")
    assert one != other and "segreto" not in one
    assert unseal(one) == unseal(other) == "segreto"
    assert unseal("in chiaro, da prima") == "in chiaro, da prima"


def test_only_with_the_key_and_untouched(settings: Any) -> None:
    kept = seal("segreto")
    with pytest.raises(InvalidTag):
        unseal(kept[:-3] + ("A" if kept[-3] != "A" else "B") + kept[-2:])
    old, settings.SECRET_KEY = settings.SECRET_KEY, "k" * 64
    with pytest.raises(InvalidTag):
        unseal(kept)
    settings.SECRET_KEY_FALLBACKS = [old]
    assert unseal(kept) == "segreto"


def test_second_factors_are_kept_sealed_and_work() -> None:
    user, secret = UserFactory(), generate_totp_secret()
    totp, codes = TOTP.activate(user, secret).instance, RecoveryCodes.activate(user)
    assert secret not in str(totp.data) and codes.instance.data["seed"].startswith("aesgcm:")
    totp.refresh_from_db()
    assert TOTP(totp).validate_code(format_hotp_value(hotp_value(secret, next(counters()))))
    first = codes.get_unused_codes()[0]
    assert codes.validate_code(first) and not codes.validate_code(first)
