"""Looking for somebody, or for a request, by the address of a mailbox."""

from __future__ import annotations

from django.db.models import BooleanField, Exists, OuterRef, Q
from django.db.models.expressions import RawSQL
from django_scopes import scopes_disabled

from members.keyset import Condition, Source, prefixed
from pec_requests.models import PecRequest

_RANK = 4


def is_address(word: str) -> bool:
    """Whether a word somebody looks for is, or begins, an address: nobody is called so."""
    return "@" in word or "." in word


def address_condition(word: str, *, of_members: bool = False) -> Condition:
    """Requests, or members who have one, of an address that begins so."""
    beginning = word.lower()
    with scopes_disabled():
        rows = PecRequest.objects.filter(prefixed("address", beginning))
    if not of_members:
        return Condition(prefixed("address", beginning), (Source(rows, ("address",), rank=_RANK),))
    # A member stands where the first of such addresses is, once.
    first = RawSQL(
        '"pec_requests_pecrequest"."id" = (SELECT other.id FROM pec_requests_pecrequest AS other'
        ' WHERE other.member_id = "pec_requests_pecrequest"."member_id" AND other.address >= %s AND other.address < %s'
        " ORDER BY other.address, other.id LIMIT 1)",
        (beginning, beginning + "\x7f"),
        output_field=BooleanField(),
    )
    theirs = PecRequest.objects.filter(prefixed("address", beginning), member=OuterRef("pk"))
    return Condition(Q(Exists(theirs)), (Source(rows.filter(first), ("address",), "member_id", rank=_RANK),))
