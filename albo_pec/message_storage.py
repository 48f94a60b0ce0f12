"""Django's messages, in a cookie that only this host can set where there is HTTPS."""

from typing import Any

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage


class HostCookieStorage(CookieStorage):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cookie_name = settings.MESSAGE_COOKIE_NAME


class HostStorage(FallbackStorage):
    """What is too long for a cookie goes into the session, as Django's own has it."""

    storage_classes = (HostCookieStorage, SessionStorage)
