"""``python -m aruba_sandbox``: the provider on this machine, until it is told to stop."""

import os
import sys


def main() -> None:
    """Prepare the database, then answer web and mail."""
    if not os.environ.get("SANDBOX_DATABASE_URL"):
        sys.exit("Manca SANDBOX_DATABASE_URL: l'indirizzo della base dati PostgreSQL del sandbox.")
    # Whoever starts the sandbox may have another project's settings in the environment.
    os.environ["DJANGO_SETTINGS_MODULE"] = "aruba_sandbox.settings"
    import django

    django.setup()
    from django.conf import settings

    from aruba_sandbox import database
    from aruba_sandbox.server import SandboxServer

    database.prepare()
    try:
        server = SandboxServer()
    except OSError as error:
        sys.exit(f"La porta SMTP {settings.SMTP_PORT} non è libera: {error.strerror}.")
    server.run()


if __name__ == "__main__":
    main()
