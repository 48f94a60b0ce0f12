"""The life of an import in the office: brought, read, confirmed, carried out; or cancelled. Only here ``state`` is set.

Every move is made under the lock of the run's row, and reads it again there: of a cancellation and a commit, or of two
members of staff, one comes first and the other finds what it did. What a worker does is in ``import_working``.
"""

from __future__ import annotations

import os
import time
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django_scopes import scope, scopes_disabled

from audit import log
from audit.actors import Actor
from members import import_columns, uploads
from members.models import ColumnMapping, ImportRun, Ordine
from members.wake import wake

State = ImportRun.State
WORK = "members.tasks.carry_out_imports"
RUNNING = (State.READING, State.IMPORTING)
ENDED = (State.DONE, State.FAILED, State.CANCELLED)
# Every move there is.
MOVES: Mapping[str, frozenset[str]] = {
    State.UPLOADED: frozenset({State.READING, State.CANCELLED}),
    State.READING: frozenset({State.COLUMNS, State.READY, State.FAILED, State.CANCELLED}),
    State.COLUMNS: frozenset({State.UPLOADED, State.CANCELLED}),
    State.READY: frozenset({State.COLUMNS, State.CONFIRMED, State.CANCELLED}),
    State.CONFIRMED: frozenset({State.IMPORTING, State.CANCELLED}),
    # Back to READY when another import of the Ordine is running.
    State.IMPORTING: frozenset({State.READY, State.DONE, State.FAILED, State.CANCELLED}),
}
# The file of the rejected lines, in the folder of the run, which outlives the rest of it by so many days.
REJECTS = "respinte.csv"
REJECTS_KEPT = timedelta(days=30)
# What nobody has decided for so long is cancelled.
UNDECIDED_KEPT = timedelta(days=7)
# A folder without a run is one that is being filled, or was when its process ended.
_STRAY_KEPT_SECONDS = 86_400
# So many files of an Ordine may wait for a decision.
OPEN_AT_MOST = 5
_SYSTEM = Actor.process("importazioni")


class RunRefused(Exception):
    """What was asked cannot be done now. Its text is a sentence."""


def begin(ordine: Ordine, brought: uploads.Brought, actor: Actor) -> ImportRun:
    """A file was brought: a worker will read it. From here on its folder belongs to the run."""
    with transaction.atomic():
        if every_run().filter(ordine=ordine, ended_at=None).count() >= OPEN_AT_MOST:
            raise RunRefused(
                _("Ci sono già %(count)d importazioni aperte per questo Ordine: confermarne o annullarne qualcuna.")
                % {"count": OPEN_AT_MOST}
            )
        run = ImportRun.objects.create(
            ordine=ordine,
            folder=brought.folder,
            file_name=_tidy(str(brought.name)),
            file_size=brought.length,
            file_sha256=brought.sha256,
            uploaded_by=actor.name,
        )
        log.record(
            "import.uploaded",
            actor,
            run,
            ordine=ordine.code,
            file=run.file_name,
            size=brought.length,
            sha256=brought.sha256,
        )
        wake(WORK)
    return run


def choose_columns(pk: int, mapping: Mapping[str, str], actor: Actor) -> None:
    """Which column holds what, in this file and in others with its headers. ``UnreadableFile``: it won't do."""
    import_columns.check(mapping)
    with transaction.atomic():
        run = locked(pk)
        if run.state != State.COLUMNS:
            raise RunRefused(_("Le colonne sono già state indicate."))
        headers = [header for _name, header, _example in run.columns]
        with scope(ordine=[run.ordine_id]):
            ColumnMapping.objects.update_or_create(
                ordine=run.ordine, headers=import_columns.digest(headers), defaults={"mapping": dict(mapping)}
            )
        move(run, State.UPLOADED, mapping=dict(mapping), problem="")
        log.record("import.columns_chosen", actor, run, ordine=run.ordine.code, file=run.file_name)
        wake(WORK)


def ask_columns(pk: int, actor: Actor) -> None:
    """Somebody wants to see, or change, which column holds what."""
    with transaction.atomic():
        run = locked(pk)
        if run.state == State.READY and run.kind == ImportRun.Kind.ALBO:
            move(run, State.COLUMNS, problem="")
            log.record("import.columns_asked", actor, run, ordine=run.ordine.code, file=run.file_name)


def confirm(pk: int, actor: Actor) -> None:
    """A worker will import it. Once more is no error; while another import of the Ordine is under way it is."""
    with transaction.atomic():
        run = locked(pk)
        if run.state in (State.CONFIRMED, State.IMPORTING, State.DONE):
            return
        if run.state != State.READY:
            raise RunRefused(_("L'importazione non si può più confermare: %s.") % run.get_state_display().lower())
        try:
            with transaction.atomic():
                move(run, State.CONFIRMED, confirmed_by=asdict(actor), problem="")
        except IntegrityError as clash:
            sentence = _("È già in corso un'altra importazione per questo Ordine: confermare quando è finita.")
            raise RunRefused(sentence) from clash
        log.record("import.confirmed", actor, run, ordine=run.ordine.code, file=run.file_name)
        wake(WORK)


def cancel(pk: int, actor: Actor) -> bool:
    """Nothing of it will be imported; False if it was cancelled already. ``RunRefused``: it has ended otherwise."""
    with transaction.atomic():
        run = locked(pk)
        if run.state == State.CANCELLED:
            return False
        if run.state in ENDED:
            raise RunRefused(_("L'importazione era già conclusa: %s.") % run.get_state_display().lower())
        _cancel(run, actor)
    return True


def _cancel(run: ImportRun, actor: Actor) -> None:
    move(run, State.CANCELLED)
    log.record("import.cancelled", actor, run, ordine=run.ordine.code, file=run.file_name)
    transaction.on_commit(lambda: uploads.discard(run.folder))


def end_abandoned() -> None:
    """Whoever was at work on a run has not been seen for too long: it has failed, and nothing was imported."""
    with transaction.atomic():
        lease = timedelta(seconds=settings.IMPORT_LEASE_SECONDS)
        gone = every_run().filter(state__in=RUNNING, alive_at__lt=Now() - lease)
        for run in gone.select_related("ordine").select_for_update(of=("self",), skip_locked=True):
            fail(run, _("Il lavoro si è interrotto prima della fine: nulla è stato importato. Ricaricare il file."))


def fail(run: ImportRun, problem: str) -> None:
    """It has ended without importing anything, and why."""
    move(run, State.FAILED, problem=problem)
    log.record("import.failed", _SYSTEM, run, ordine=run.ordine.code, file=run.file_name, problem=problem)
    transaction.on_commit(lambda: uploads.discard(run.folder))


def forget() -> None:
    """Every night: what nobody decided, files of rejects that are old, and what was left behind in the folders."""
    undecided = every_run().filter(state__in=(State.COLUMNS, State.READY), uploaded_at__lt=Now() - UNDECIDED_KEPT)
    with transaction.atomic():
        for run in undecided.select_related("ordine").select_for_update(of=("self",), skip_locked=True):
            _cancel(run, _SYSTEM)
    recent = every_run().filter(state=State.DONE, ended_at__gt=Now() - REJECTS_KEPT)
    kept = set(recent.values_list("folder", flat=True))
    in_use = set(every_run().filter(ended_at=None).values_list("folder", flat=True))
    for folder, written in list(uploads.folders()):
        if folder in kept:
            uploads.discard(folder, but=REJECTS)
        elif folder not in in_use and written < time.time() - _STRAY_KEPT_SECONDS:
            uploads.discard(folder)


def every_run() -> QuerySet[ImportRun]:
    """Of whatever Ordine: the office has found its run in its own scope, and workers have none."""
    with scopes_disabled():
        return ImportRun.objects.all()


def locked(pk: int) -> ImportRun:
    """The run as it is now, locked until the end of the transaction."""
    return every_run().select_related("ordine").select_for_update(of=("self",)).get(pk=pk)


def move(run: ImportRun, to: State, **values: Any) -> None:
    """Write a new state, and what comes with it, on a locked run."""
    if to not in MOVES.get(run.state, ()):
        raise RunRefused(_("L'importazione è già in un altro stato: %s.") % run.get_state_display().lower())
    run.state = to
    if to in ENDED:
        # Examples of people's data are of no use any more.
        values |= {"ended_at": Now(), "columns": []}
    for name, value in values.items():
        setattr(run, name, value)
    run.save(update_fields=["state", *values])


def _tidy(name: str) -> str:
    """A file's name as it is shown and kept, its ending as well where it is long."""
    stem, ending = os.path.splitext(unicodedata.normalize("NFC", name))
    return stem[: 150 - len(ending[:20])] + ending[:20]
