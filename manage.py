#!/usr/bin/env python
"""Django's commands, with the servers they need."""

import os
import signal
import sys
from contextlib import nullcontext
from types import FrameType

NO_SERVERS = {"check", "collectstatic", "compilemessages", "help", "makemessages", "startapp", "version"}


def needs_servers(arguments: list[str]) -> bool:
    """Commands that only read the code start nothing."""
    if not arguments or arguments[0].startswith("-") or {"--help", "-h"} & set(arguments):
        return False
    return arguments[0] not in NO_SERVERS or any(word.startswith("--database") for word in arguments)


def leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "albo_pec.settings")
    from albo_pec import demo, embedded

    # A command that is told to end must still let go of the servers: Python's own answer is to vanish.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, leave)
    try:
        for name, value in demo.running_environment(embedded.var_path()).items():
            os.environ.setdefault(name, value)
        with embedded.servers() if needs_servers(sys.argv[1:]) else nullcontext():
            from django.core.management import execute_from_command_line

            execute_from_command_line(sys.argv)
    except embedded.ServersError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
