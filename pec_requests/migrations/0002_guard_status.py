"""The database itself refuses every move that is not in the table of states, and every DELETE of a request.

The table stands here as it was when this migration was written; a test compares it with ``states.MOVES``.
"""

from django.db import migrations

GUARD = """
CREATE FUNCTION pec_requests_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'pec_requests: una richiesta non si cancella' USING ERRCODE = 'check_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'RICHIESTA' THEN
            RAISE EXCEPTION 'pec_requests: una richiesta nasce RICHIESTA, non %', NEW.status USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF (OLD.status, NEW.status) NOT IN (
        ('RICHIESTA', 'NON_ATTIVO'), ('RICHIESTA', 'ANNULLATO'),
        ('NON_ATTIVO', 'ATTIVO'), ('NON_ATTIVO', 'ANNULLATO'), ('NON_ATTIVO', 'RIFIUTATO'),
        ('ATTIVO', 'SOSPESO'), ('SOSPESO', 'ATTIVO'), ('ATTIVO', 'CESSATO'), ('SOSPESO', 'CESSATO')
    ) THEN
        RAISE EXCEPTION 'pec_requests: da % a % non si passa', OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status IN ('ANNULLATO', 'RIFIUTATO') AND NEW.accepted_at IS NOT NULL THEN
        RAISE EXCEPTION 'pec_requests: la casella è già stata accettata' USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.status = 'NON_ATTIVO' AND NEW.status = 'ATTIVO' AND NEW.accepted_at IS NULL THEN
        RAISE EXCEPTION 'pec_requests: la casella non è stata accettata' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER pec_requests_guard_moves BEFORE UPDATE OF status ON pec_requests_pecrequest
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION pec_requests_guard();
CREATE TRIGGER pec_requests_guard_rows BEFORE INSERT OR DELETE ON pec_requests_pecrequest
    FOR EACH ROW EXECUTE FUNCTION pec_requests_guard();
"""

UNGUARD = """
DROP TRIGGER pec_requests_guard_moves ON pec_requests_pecrequest;
DROP TRIGGER pec_requests_guard_rows ON pec_requests_pecrequest;
DROP FUNCTION pec_requests_guard();
"""


class Migration(migrations.Migration):
    dependencies = [("pec_requests", "0001_initial")]

    operations = [migrations.RunSQL(GUARD, UNGUARD)]
