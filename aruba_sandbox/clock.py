"""The sandbox's clock: the only place that says what time it is, so that tests can age links without waiting."""

from datetime import datetime, timedelta

from django.utils import timezone

_offset = timedelta()


def now() -> datetime:
    """The present, as far as the sandbox is concerned."""
    return timezone.now() + _offset


def years_after(moment: datetime, years: int) -> datetime:
    """The same day some years later; 29 February becomes the 28th where it must."""
    try:
        return moment.replace(year=moment.year + years)
    except ValueError:
        return moment.replace(year=moment.year + years, day=28)


def advance(seconds: float) -> None:
    """Move the present forward."""
    global _offset
    _offset += timedelta(seconds=seconds)


def reset() -> None:
    """Return to the machine's own time."""
    global _offset
    _offset = timedelta()
