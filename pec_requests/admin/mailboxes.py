"""Looking for somebody, or for a request, by the address of a mailbox."""

from __future__ import annotations

from django.db.models import BooleanField, Exists, OuterRef, Q
from django.db.models.expressions import RawSQL

from members.keyset import Condition, Source, prefixed, rows_of
from members.lists import member_word
from pec_requests.models import PecRequest

_RANK = 4


def word_conditions(word: str, prefix: str = "") -> list[Condition]:
    """As ``members.lists.member_word``, and by address where the word has the signs of one."""
    if "@" in word or "." in word:
        return [_by_address(word, prefix)]
    return list(member_word(word, prefix))


def _by_address(word: str, prefix: str) -> Condition:
    """Members, or their requests, of an address that begins so; a member stands where the first of them is, once."""
    beginning = word.lower()
    first = RawSQL(
        '"pec_requests_pecrequest"."id" = (SELECT other.id FROM pec_requests_pecrequest AS other'
        ' WHERE other.member_id = "pec_requests_pecrequest"."member_id" AND other.address >= %s AND other.address < %s'
        " ORDER BY other.address, other.id LIMIT 1)",
        (beginning, beginning + "\x7f"),
        output_field=BooleanField(),
    )
    rows = rows_of(PecRequest).filter(prefixed("address", beginning)).filter(first)
    if prefix:
        return Condition(prefixed("address", beginning), (Source(rows, ("address",), "member_id", "member_id", _RANK),))
    theirs = PecRequest.objects.filter(prefixed("address", beginning), member=OuterRef("pk"))
    return Condition(Q(Exists(theirs)), (Source(rows, ("address",), "member_id", rank=_RANK),))
