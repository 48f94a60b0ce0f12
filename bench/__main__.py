"""``python -m bench``: measures in one run, prints a table of ratios, and ends with 1 where a target is missed."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "albo_pec.settings")
# As in production: without Django's record of every query.
os.environ.setdefault("DEBUG", "0")
os.environ.setdefault("SECRET_KEY", "only-for-measuring-and-long-enough-for-the-checks-of-the-settings")
os.environ.setdefault("LOG_LEVEL", "WARNING")


def main(names: list[str]) -> int:
    from albo_pec import embedded

    with ExitStack() as stack:
        stack.enter_context(embedded.servers())
        # A database beside whatever this VAR has already.
        os.environ["DATABASE_URL"] = embedded.ensure_database("bench")
        import django

        django.setup()
        from django.core.management import call_command
        from django_scopes import scopes_disabled

        from bench import bulk, engine, enumeration, exports, lists, pages, register
        from bench.report import Report

        call_command("migrate", verbosity=0)
        report = Report()
        with scopes_disabled():
            for measure in [
                *engine.MEASURES,
                *register.MEASURES,
                *bulk.MEASURES,
                *lists.MEASURES,
                *exports.MEASURES,
                *pages.MEASURES,
                *enumeration.MEASURES,
            ]:
                if not names or measure.__name__ in names:
                    measure(report)
        return report.tell()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
