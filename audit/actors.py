"""Who does something. Passed explicitly from the edge (view, task, command) to whatever writes the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.http import HttpRequest


@dataclass(frozen=True)
class Actor:
    """A person (``user_id`` set) or a named process (``user_id`` None), and the address the request came from."""

    name: str
    user_id: int | None = None
    ip: str | None = None

    @classmethod
    def process(cls, name: str) -> Actor:
        """A process of ours, such as ``worker`` or ``import_albo``."""
        return cls(name=name)

    @classmethod
    def of(cls, request: HttpRequest) -> Actor:
        """Whoever sent this request: the signed-in user, or an unknown visitor."""
        from allauth.account.adapter import get_adapter  # the one place that knows how many proxies to trust

        ip = get_adapter().get_client_ip(request) or None
        if request.user.is_authenticated:
            name = request.user.get_full_name() or request.user.get_username()
            return cls(name=name[:150], user_id=request.user.pk, ip=ip)
        return cls(name="visitatore", ip=ip)
