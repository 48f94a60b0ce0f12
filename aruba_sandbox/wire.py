"""The envelope every answer of the API comes in, and the errors it may carry."""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from django.http import JsonResponse
from django.utils import timezone

from aruba_sandbox import clock

ERROR_CODES: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: "001",
    HTTPStatus.UNAUTHORIZED: "002",
    HTTPStatus.FORBIDDEN: "003",
    HTTPStatus.NOT_FOUND: "004",
    HTTPStatus.METHOD_NOT_ALLOWED: "005",
    HTTPStatus.TOO_MANY_REQUESTS: "006",
}
UNHANDLED = "999"


@dataclass(frozen=True)
class FieldError:
    """The field that was refused, in the provider's words."""

    object_name: str
    field: str
    code: str
    rejected_value: object
    message: str

    def as_json(self) -> dict[str, object]:
        """The error's ``validationError``."""
        return {
            "objectName": self.object_name,
            "field": self.field,
            "code": self.code,
            "rejectedValue": self.rejected_value,
            "defaultMessage": self.message,
        }


class ApiError(Exception):
    """A refusal: an HTTP status, a sentence and, where one field is to blame, which."""

    def __init__(self, status: int, description: str, field_error: FieldError | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.field_error = field_error

    def as_json(self) -> dict[str, object]:
        """The error as one item of the envelope's ``errors``."""
        return {
            "code": ERROR_CODES.get(self.status, UNHANDLED),
            "description": self.description,
            "validationError": self.field_error.as_json() if self.field_error else None,
        }


def invalid(description: str) -> ApiError:
    """The call cannot be done with this data, or in this state."""
    return ApiError(HTTPStatus.BAD_REQUEST, description)


def not_found(description: str) -> ApiError:
    """What the call is about does not exist."""
    return ApiError(HTTPStatus.NOT_FOUND, description)


def answer(data: object, *errors: ApiError, status: int = HTTPStatus.OK) -> JsonResponse:
    """The envelope around ``data``."""
    envelope = {
        "version": "v2",
        "datetime": moment(clock.now()),
        "data": data,
        "errors": [error.as_json() for error in errors],
    }
    return JsonResponse(envelope, status=status)


def refusal(error: ApiError) -> JsonResponse:
    """The envelope of an error."""
    return answer(None, error, status=error.status)


def moment(value: datetime) -> str:
    """A moment as the provider writes it: ISO 8601, Italian time."""
    return timezone.localtime(value).isoformat(timespec="milliseconds")
