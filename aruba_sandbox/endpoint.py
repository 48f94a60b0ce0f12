"""One address of the API: method, faults, token, transaction, envelope."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from django.core.exceptions import RequestDataTooBig
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict

from aruba_sandbox import auth, faults
from aruba_sandbox.fields import Fields
from aruba_sandbox.wire import ApiError, answer, invalid, refusal

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Call:
    """What a handler gets to see of a request."""

    body: Fields
    query: QueryDict
    path: dict[str, str]


Handler = Callable[[Call], object]


class Endpoint:
    """Answers the methods it has a handler for; ``call`` is its name for faults."""

    def __init__(self, call: str, *, public: bool = False, **handlers: Handler) -> None:
        self.call = call
        self.public = public
        self.handlers = handlers

    def __call__(self, request: HttpRequest, **path: str) -> HttpResponse:
        """Answer one request, with whatever fault was ordered for it."""
        return faults.surround(self.call, request, lambda: self._answer(request, path))

    def _answer(self, request: HttpRequest, path: dict[str, str]) -> HttpResponse:
        try:
            handler = self.handlers.get(request.method or "")
            if handler is None:
                raise ApiError(HTTPStatus.METHOD_NOT_ALLOWED, "Metodo non ammesso.")
            if not self.public:
                auth.require_token(request)
            call = Call(Fields.parse(_body(request)), request.GET, path)
            with transaction.atomic():
                data = handler(call)
            return answer(data)
        except ApiError as error:
            return refusal(error)
        except Exception:
            logger.exception("Unhandled error in %s", self.call)
            return refusal(ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "Errore interno."))


def unknown_address(request: HttpRequest) -> HttpResponse:
    """Anything under ``/service`` that is not a call."""
    return refusal(ApiError(HTTPStatus.NOT_FOUND, f"Indirizzo sconosciuto: {request.path}"))


def _body(request: HttpRequest) -> bytes:
    try:
        return request.body
    except RequestDataTooBig:
        raise invalid("Il corpo della richiesta è troppo grande.") from None
