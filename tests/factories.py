"""Invented people and Ordini for tests."""

from __future__ import annotations

from datetime import date
from typing import Any

import factory
from django_scopes import scopes_disabled

from members.models import Albo, Enrolment, Member, Ordine, StaffRole, User
from pec_requests.models import PecDomain

PASSWORD = "Prova-di-accesso-1"


def tax_code(number: int, birth: date = date(1980, 1, 1)) -> str:
    """A valid codice fiscale of Mario Rossi, a different birthplace for each number."""
    from members import tax_codes

    month = "ABCDEHLMPRST"[birth.month - 1]
    plain = f"RSSMRA{birth.year % 100:02}{month}{birth.day:02}A{number % 1000:03}"
    from stdnum.it import codicefiscale

    code = plain + codicefiscale.calc_check_digit(plain)
    assert tax_codes.is_valid(code)
    return code


class OrdineFactory(factory.django.DjangoModelFactory[Ordine]):
    class Meta:
        model = Ordine
        skip_postgeneration_save = True

    code = factory.Sequence(lambda n: f"ordine-{n}")
    name = factory.LazyAttribute(lambda o: f"Ordine dei TSRM e PSTRP di {o.code}")
    short_name = factory.LazyAttribute(lambda o: f"Ordine {o.code}")
    email = "segreteria@ordine.example"

    @factory.post_generation
    def domains(self, create: bool, extracted: Any, **kwargs: Any) -> None:
        for name in ("tsrm.org", "tsrm-pstrp.org"):
            PecDomain.objects.get_or_create(name=name)[0].ordini.add(self)


class UserFactory(factory.django.DjangoModelFactory[User]):
    class Meta:
        model = User

    username = factory.Sequence(lambda n: f"utente-{n}")
    password = factory.django.Password(PASSWORD)


class MemberFactory(factory.django.DjangoModelFactory[Member]):
    """An enrolled Mario Rossi with an account."""

    class Meta:
        model = Member
        skip_postgeneration_save = True

    class Params:
        number = factory.Sequence(lambda n: n)

    ordine = factory.SubFactory(OrdineFactory)
    user = factory.SubFactory(UserFactory)
    surname, name, sex = "Rossi", "Mario", "M"
    birth_date = date(1980, 1, 1)
    tax_code = factory.LazyAttribute(lambda o: tax_code(o.number, o.birth_date))
    personal_email = factory.LazyAttribute(lambda o: f"mario{o.number}@example.com")
    mobile, address, postcode, town, province = "3331234567", "Via Roma, 1", "60100", "Ancona", "AN"

    @factory.post_generation
    def enrolled(self, create: bool, extracted: Any, **kwargs: Any) -> None:
        if extracted is False:
            return
        with scopes_disabled():
            albo = Albo.objects.get_or_create(name="Logopedista")[0]
            Enrolment.objects.create(member=self, albo=albo, number=str(self.pk), enrolled_on=date(2020, 1, 1))


def staff(ordine: Ordine, role: str = StaffRole.Role.RESPONSABILE, user: User | None = None) -> User:
    """A user who works in the office of an Ordine."""
    user = user or UserFactory()
    with scopes_disabled():
        StaffRole.objects.create(user=user, ordine=ordine, role=role)
    return user
