"""Which Ordini a request may see."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django_scopes import ScopeError

from members.middleware import OrdineScopeMiddleware
from members.models import Member, StaffRole
from tests.factories import MemberFactory, OrdineFactory, UserFactory, staff

pytestmark = pytest.mark.django_db
OFFICE, PORTAL = "/admin/members/member/", "/utente/scheda-anagrafica/"


def seen(user: Any, path: str) -> set[Member]:
    """The members that a view finds at this address."""
    found: set[Member] = set()

    def view(request: Any) -> HttpResponse:
        found.update(Member.objects.all())
        return HttpResponse()

    request = RequestFactory().get(path)
    request.user = user
    OrdineScopeMiddleware(view)(request)
    return found


def test_the_office_sees_its_ordini_and_members_their_own() -> None:
    here, there = OrdineFactory(), OrdineFactory()
    mine, colleague, stranger = MemberFactory(ordine=here), MemberFactory(ordine=here), MemberFactory(ordine=there)
    assert seen(staff(here), OFFICE) == {mine, colleague}
    assert seen(mine.user, PORTAL) == {mine, colleague}
    assert stranger not in seen(mine.user, OFFICE)


def test_who_wears_two_hats_wears_one_at_a_time() -> None:
    here, there = OrdineFactory(), OrdineFactory()
    me, other = MemberFactory(ordine=here), MemberFactory(ordine=there)
    StaffRole.objects.create(user=me.user, ordine=there)
    assert seen(me.user, PORTAL) == {me}
    assert seen(me.user, OFFICE) == {other}


def test_staff_of_two_ordini_see_both() -> None:
    here, there = OrdineFactory(), OrdineFactory()
    both = {MemberFactory(ordine=here), MemberFactory(ordine=there)}
    MemberFactory()
    user = staff(here)
    StaffRole.objects.create(user=user, ordine=there)
    assert seen(user, OFFICE) == both


def test_the_federation_sees_all_in_the_office_and_nothing_elsewhere() -> None:
    everybody = {MemberFactory(), MemberFactory()}
    admin = UserFactory(is_superuser=True)
    assert seen(admin, OFFICE) == everybody
    assert seen(admin, PORTAL) == set()


def test_an_account_without_any_hat_sees_nothing() -> None:
    MemberFactory()
    assert seen(UserFactory(), PORTAL) == seen(UserFactory(), OFFICE) == set()


@pytest.mark.parametrize("path", [OFFICE, PORTAL, "/"])
def test_a_visitor_has_no_scope_at_all(path: str) -> None:
    with pytest.raises(ScopeError):
        seen(AnonymousUser(), path)


def test_the_scope_ends_with_the_request() -> None:
    seen(MemberFactory().user, PORTAL)
    with pytest.raises(ScopeError):
        Member.objects.count()


@pytest.mark.parametrize("path", ["/healthz", "/", "/accedi/"])
def test_visitors_cost_no_query(client: Client, path: str, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", [OFFICE, PORTAL])
def test_at_most_one_query_for_who_is_signed_in(path: str, django_assert_max_num_queries: Any) -> None:
    user = MemberFactory(user=staff(OrdineFactory())).user
    request = RequestFactory().get(path)
    request.user = user
    with django_assert_max_num_queries(1):
        OrdineScopeMiddleware(lambda request: HttpResponse())(request)
