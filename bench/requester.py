"""A request for everybody without a PEC in a process of its own: ``python -m bench.requester ORDINE DOMAIN`` prints how
many were made and the most memory that the process had, in KiB, as JSON.
"""

from __future__ import annotations

import json
import sys
import uuid

import django


def main(code: str, name: str) -> None:
    django.setup()
    from django_scopes import scopes_disabled

    from bench import scene
    from bench.importer import peak
    from members.models import Ordine
    from pec_requests import batches, eligibility
    from pec_requests.models import PecDomain, RequestBatch

    with scopes_disabled():
        ordine, domain = Ordine.objects.get(code=code), PecDomain.objects.get(name=name)
        ids = {ordine.pk: eligibility.without_pec().values_list("pk", flat=True)}
        (batch,) = batches.order(ids, domain, scene.BENCH, asked="", key=uuid.uuid4())
        batches.carry_out(batch.pk)
        made = RequestBatch.objects.get(pk=batch.pk).made
    print(json.dumps({"made": made, "kib": peak()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
