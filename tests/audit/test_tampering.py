"""Whatever the owner of the database does to the log behind the portal's back: ``verify_audit`` finds it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from post_office.models import Email

from audit import sealing, verifying
from audit.models import LogEntry, Seal
from members import anchoring
from tests.audit.chain import made_anew, owner, patient, seal_all, write

pytestmark = [pytest.mark.django_db(transaction=True), patient]
_NTH = "(SELECT id FROM {} ORDER BY id OFFSET {} LIMIT 1)"
ENTRY, OTHER, SEAL = _NTH.format("audit_logentry", 2), _NTH.format("audit_logentry", 3), _NTH.format("audit_seal", 1)
_COPIED = "actor_name, ip, action, object_type, ordine, detail, at"
_RENAMED = _COPIED.replace("ordine", "'altro'")
TAMPERINGS = {
    "an entry edited": f"UPDATE audit_logentry SET detail = '{{}}' WHERE id = {ENTRY}",
    "its author": f"UPDATE audit_logentry SET actor_name = 'altri' WHERE id = {ENTRY}",
    "its moment, by a microsecond": f"UPDATE audit_logentry SET at = at + interval '1 microsecond' WHERE id = {ENTRY}",
    "its Ordine": f"UPDATE audit_logentry SET ordine = 'umbria' WHERE id = {ENTRY}",
    "an entry deleted": f"DELETE FROM audit_logentry WHERE id = {ENTRY}",
    "two swapped": f"UPDATE audit_logentry a SET detail = b.detail FROM audit_logentry b"
    f" WHERE a.id IN ({ENTRY}, {OTHER}) AND b.id IN ({ENTRY}, {OTHER}) AND a.id <> b.id",
    "one inserted in the past": f"INSERT INTO audit_logentry ({_COPIED}, transaction)"
    f" SELECT {_COPIED}, transaction FROM audit_logentry WHERE id = {ENTRY}",
    "one inserted in another's name": f"INSERT INTO audit_logentry ({_COPIED}, transaction)"
    f" SELECT {_RENAMED}, transaction FROM audit_logentry WHERE id = {ENTRY}",
    "one taken out of its batch": f"UPDATE audit_logentry SET transaction = 9e15 WHERE id = {ENTRY}",
    "a seal deleted": f"DELETE FROM audit_seal WHERE id = {SEAL}",
    "a seal's moment": f"UPDATE audit_seal SET sealed_at = sealed_at - interval '1 year' WHERE id = {SEAL}",
    "two batches made one": f"WITH gone AS (DELETE FROM audit_seal WHERE id = {SEAL} RETURNING until)"
    " UPDATE audit_seal SET until = gone.until FROM gone WHERE id = (SELECT min(id) FROM audit_seal)",
    "said to be retired": "INSERT INTO audit_logentry (at, actor_name, action, object_type, ordine, detail)"
    " VALUES (now(), 'x', 'audit.retired', '', 'marche', '{\"before\": 9000000000000000}');"
    " DELETE FROM audit_logentry WHERE action = 'prova'",
}


def chain() -> None:
    for _batch in range(3):
        write(2, "marche")
        assert seal_all() == 2


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def test_tampering_is_found() -> None:
    chain()
    call_command("verify_audit", stdout=StringIO())
    for name, statement in TAMPERINGS.items():
        with undone(), connection.cursor() as cursor:
            with owner():
                cursor.execute(statement)
                assert cursor.rowcount, name
            assert verifying.verify().broken, name
    first, second, last = Seal.objects.order_by("until")
    with undone(), owner():  # a seal made anew without the next
        LogEntry.objects.filter(pk=LogEntry.objects.order_by("id")[2].pk).update(actor_name="altri")
        second.parts = sealing._parts(second.since, second.until)
        second.digest = sealing.digest_of(second, first.digest)
        second.save()
        broken = verifying.verify().broken
        assert broken and broken.seal == last
    with undone(), owner():  # a clock that went back tears nothing: seals follow one another by transactions
        Seal.objects.filter(pk=second.pk).update(sealed_at="2001-01-01T00:00:00Z")
        made_anew()
        assert verifying.verify().broken is None
    with undone(), owner():  # restored into a server that counts transactions from a lower number
        Seal.objects.filter(pk=last.pk).update(until=2**60)
        with pytest.raises(sealing.NumbersBeganAnew):
            sealing.seal()
    with owner():
        LogEntry.objects.order_by("id")[0].delete()
    with pytest.raises(CommandError, match="alterato") as found:
        call_command("verify_audit", stdout=StringIO())
    assert found.value.returncode == 1


def test_a_chain_made_anew_does_not_contain_what_was_written_down(settings: object) -> None:
    """Nothing in the database tells; the digest that left it in time does."""
    settings.ADMINS = [("Amministrazione", "admin@example.com")]  # type: ignore[attr-defined]  # pytest-django's
    anchoring.tell()  # of an empty log nothing
    chain()
    anchoring.tell()
    noted = Seal.objects.order_by("until").last()
    assert noted and noted.digest in Email.objects.get().message
    write()
    seal_all()
    call_command("verify_audit", "--anchor", noted.digest.upper(), stdout=StringIO())
    with owner():
        LogEntry.objects.filter(pk=LogEntry.objects.order_by("id")[2].pk).update(actor_name="altri")
    anchoring.tell()
    assert "non torna" in Email.objects.order_by("id")[1].subject
    with owner():
        made_anew()
    assert verifying.verify().broken is None
    with pytest.raises(CommandError, match="riscritta"):
        call_command("verify_audit", "--anchor", noted.digest, stdout=StringIO())
    # To cut off the last seals, and to have their batches sealed again, comes to the same.
    with owner():
        Seal.objects.order_by("until").last().delete()  # type: ignore[union-attr]  # there is one
    seal_all()
    assert verifying.verify().broken is None and verifying.verify([noted.digest]).broken
