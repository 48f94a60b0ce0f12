"""The national albi of the convention's professions, with the dates between which each takes enrolments.

The rows are put in by a migration; an albo that is founded or closed later is a change in the admin, not here.
"""

from __future__ import annotations

from datetime import date
from typing import Any

OPEN = (
    "Tecnico sanitario di radiologia medica",
    "Tecnico sanitario di laboratorio biomedico",
    "Tecnico audiometrista",
    "Tecnico audioprotesista",
    "Tecnico ortopedico",
    "Dietista",
    "Tecnico di neurofisiopatologia",
    "Tecnico della fisiopatologia cardiocircolatoria e perfusione cardiovascolare",
    "Igienista dentale",
    "Logopedista",
    "Podologo",
    "Ortottista e assistente di oftalmologia",
    "Terapista della neuro e psicomotricità dell'età evolutiva",
    "Tecnico della riabilitazione psichiatrica",
    "Terapista occupazionale",
    "Educatore professionale",
    "Tecnico della prevenzione nell'ambiente e nei luoghi di lavoro",
    "Assistente sanitario",
)
# The last day of each: physiotherapists have had an Ordine of their own since 15/12/2022.
CLOSED = {"Fisioterapista": date(2022, 12, 14)}


def install(albo_model: Any = None) -> None:
    """Put in the albi that are missing; those that are there, changed or not, stay as they are.

    A migration passes the model as it was then.
    """
    if albo_model is None:
        from members.models import Albo

        albo_model = Albo
    for name in OPEN:
        albo_model.objects.get_or_create(name=name)
    for name, last_day in CLOSED.items():
        albo_model.objects.get_or_create(name=name, defaults={"valid_to": last_day})
