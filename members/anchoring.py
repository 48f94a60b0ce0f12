"""The newest seal of the log leaves the house every night: in the process log, and by mail to the administrators.

Who owns the database could make the whole chain anew; but not so that it still contains what others have in their hands
(``verify_audit --anchor``). The chain is verified at the same time, so that somebody is told where it does not hold.
"""

from __future__ import annotations

import structlog
from django.conf import settings

from audit import sealing, verifying
from audit.verifying import Broken
from members import mail

logger = structlog.get_logger(__name__)


def tell() -> None:
    """Verify, write the digest down, and mail it; nothing where nothing was ever sealed."""
    mark = sealing.newest()
    if mark is None:
        return
    report = verifying.verify()
    broken = _words(report.broken)
    if broken:
        logger.error("log_broken", reason=broken)
    logger.info("log_anchor", seal=mark.pk, digest=mark.digest, sealed_at=mark.sealed_at.isoformat())
    context = {"mark": mark, "seals": report.seals, "broken": broken}
    mail.send_all(
        mail.Letter("log_anchor", address, None, context, to_office=True) for _name, address in settings.ADMINS
    )


def _words(broken: Broken | None) -> str:
    if broken is None:
        return ""
    return f"{broken.seal.pk}: {broken.reason}" if broken.seal else broken.reason
