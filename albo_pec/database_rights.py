"""What the database lets the web processes and the workers do: as much as they need.

Tables belong to another role, the owner, as whom ``migrate`` and the commands of retention run. The web role reads and
writes rows; it makes, alters and empties no table, switches no trigger off, and of the log it can only make more. What
a new table allows without a word here: to read, add and change rows, not to delete any.
"""

from __future__ import annotations

from django.apps import apps
from django.db import connection, transaction
from django.utils.translation import gettext as _
from psycopg import sql

# Of the migrations, or kept by Django for itself: nobody writes them while the portal runs.
READ_ONLY = frozenset(
    {"django_migrations", "django_content_type", "auth_permission", "auth_group", "auth_group_permissions"}
)
# Every table of the log: what is written there stays.
APPEND_ONLY_APP = "audit"
# With what hangs on them: sessions and links that ended, who was merged or left long ago, mails that were sent.
DELETABLE = frozenset(
    {
        "account_emailaddress",
        "account_emailconfirmation",
        "django_admin_log",
        "members_accesslink",
        "members_columnmapping",
        "members_emailchange",
        "members_enrolment",
        "members_importrun",
        "members_knowndevice",
        "members_member",
        "members_session",
        "members_staffrole",
        "members_supportview",
        "members_tally",
        "members_term",
        "members_user",
        "members_user_groups",
        "members_user_user_permissions",
        "mfa_authenticator",
        "pec_requests_difference",
        "pec_requests_notice",
        "pec_requests_pecdomain_ordini",
        "pec_requests_recoveryemailchange",
        "pec_requests_workershare",
        "post_office_attachment",
        "post_office_attachment_emails",
        "post_office_email",
        "post_office_log",
        "socialaccount_socialaccount",
        "socialaccount_socialtoken",
    }
)
# Any fixed number: two who grant at once would meet on the rows of PostgreSQL's own tables.
_LOCK = 7_316_020


class UnfitRole(Exception):
    """This role can be no web role; the text says why."""


def rights_on(table: str) -> str:
    """What the web role may do with the rows of a table, as GRANT has it."""
    if table in READ_ONLY:
        return "SELECT"
    if table in {model._meta.db_table for model in apps.get_app_config(APPEND_ONLY_APP).get_models()}:
        return "SELECT, INSERT"
    return "SELECT, INSERT, UPDATE, DELETE" if table in DELETABLE else "SELECT, INSERT, UPDATE"


def make_role(role: str, password: str) -> None:
    """Have a role that can sign in with this password and do nothing yet. What it was allowed before stays."""
    connection.ensure_connection()
    # Hashed here: the statement may be in the server's log.
    hashed = connection.connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        verb = "ALTER" if _exists(role) else "CREATE"
        words = sql.SQL(f"{verb} ROLE {{}} LOGIN PASSWORD {{}}")
        cursor.execute(words.format(sql.Identifier(role), sql.Literal(hashed)))


def grant(role: str) -> None:
    """Give the web role what it needs in this database, and take away whatever else it had been given there."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        _require_fit(role)
        name, database = sql.Identifier(role), sql.Identifier(connection.settings_dict["NAME"])
        tables = connection.introspection.table_names(cursor)
        statements = [
            # Temporary tables are where an import compares its file with the register.
            sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC, {}").format(database, name),
            sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(database, name),
            sql.SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC, {}").format(name),
            sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(name),
            sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, {}").format(name),
            sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}").format(name),
            *(
                sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(rights_on(table)), sql.Identifier(table), name)
                for table in tables
            ),
        ]
        for statement in statements:
            cursor.execute(statement)


def _exists(role: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
        return cursor.fetchone() is not None


def _require_fit(role: str) -> None:
    """Raises ``UnfitRole`` for a role that could do more than it is given, whatever is granted to it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication,
                rolname = current_user OR pg_has_role(rolname, current_user, 'MEMBER')
                OR EXISTS (SELECT FROM pg_class WHERE relowner = pg_roles.oid AND relnamespace = 'public'::regnamespace)
            FROM pg_roles WHERE rolname = %s
            """,
            [role],
        )
        found = cursor.fetchone()
    if found is None:
        raise UnfitRole(_("Il ruolo «%s» non c'è.") % role)
    powerful, owner = found
    if powerful:
        raise UnfitRole(_("Il ruolo «%s» può creare ruoli o banche dati, o ignora i permessi: serve un altro.") % role)
    if owner:
        raise UnfitRole(_("Il ruolo «%s» è, o può diventare, il proprietario delle tabelle: serve un altro.") % role)
