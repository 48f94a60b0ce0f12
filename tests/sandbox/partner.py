"""A plain client of the provider's API, written from its description alone."""

from typing import Any

import requests
from stdnum.it import codicefiscale

from tests.sandbox_process import SandboxProcess

OWNERS = "partner/pec/v2/owners"
ACCOUNTS = "partner/pec/v3/accounts"
NAME = "mario.rossi@tsrm.org"
RECOVERY = "mario@example.com"
PASSWORD = "Segreta-2026"


def tax_code(place: int = 501, start: str = "RSSMRA80A01") -> str:
    """A valid code of a Mario Rossi; each place of birth makes another person."""
    code = f"{start}H{place}"
    return code + codicefiscale.calc_check_digit(code)


MARIO = tax_code()


def owner_data(code: str = MARIO, **changes: Any) -> dict[str, Any]:
    """What creates a holder."""
    contacts = {
        "address": "Via Roma 1",
        "town": "Ancona",
        "zipCode": "60100",
        "district": "AN",
        "country": 260,
        "email": "mario.rossi@example.com",
        "telephoneNumber": "+39.071000000",
    }
    data = {"userType": "PRIVATO", "name": "Mario", "surname": "Rossi", "taxCode": code, "contacts": contacts}
    return data | changes


def account_data(name: str = NAME, code: str = MARIO, **changes: Any) -> dict[str, Any]:
    """What creates a casella."""
    data = {
        "name": name,
        "type": "EMAIL",
        "recoveryEmail": RECOVERY,
        "ownerId": {"taxCode": code},
        "renewalData": {"type": "T", "duration": 1},
    }
    return data | changes


class Partner:
    """Calls of the API, each giving the response as it came."""

    def __init__(self, sandbox: SandboxProcess) -> None:
        self.sandbox = sandbox
        self.http = requests.Session()
        self.token = self.authenticate().json()["data"]
        self.http.headers["Authorization"] = f"Bearer {self.token['accessToken']}"

    def url(self, path: str) -> str:
        return f"{self.sandbox.url}/service/public/{path}"

    def authenticate(self, password: str | None = None) -> requests.Response:
        credentials = {"username": self.sandbox.username, "password": password or self.sandbox.password}
        return self.post("auth/v2/token", credentials)

    def post(self, path: str, data: Any = None, **query: Any) -> requests.Response:
        return self.http.post(self.url(path), json=data or {}, params=query, timeout=20)

    def patch(self, path: str, data: Any) -> requests.Response:
        return self.http.patch(self.url(path), json=data, timeout=20)

    def get(self, path: str) -> requests.Response:
        return self.http.get(self.url(path), timeout=20)

    def act(self, call: str, **data: Any) -> requests.Response:
        """One of the calls on a casella, Mario's unless named."""
        return self.post(f"{ACCOUNTS}/{call}", {"name": NAME} | data)

    def owner(self, code: str = MARIO, **changes: Any) -> dict[str, Any]:
        """A holder that exists."""
        return ok(self.post(OWNERS, owner_data(code, **changes)))

    def account(self, name: str = NAME, code: str = MARIO, *, active: bool = False, **changes: Any) -> dict[str, Any]:
        """A casella that exists, with its holder."""
        self.post(OWNERS, owner_data(code))
        account = ok(self.post(ACCOUNTS, account_data(name, code, **changes)))
        return ok(self.act("activate", name=name)) if active else account


def ok(response: requests.Response) -> Any:
    """The data of an answer that must be good."""
    assert response.status_code == 200, response.text
    assert response.json()["errors"] == []
    return response.json()["data"]


def refused(response: requests.Response, status: int = 400, field: str | None = None) -> str:
    """The words of an answer that must be a refusal, about ``field`` if one is named."""
    envelope = response.json()
    assert response.status_code == status, response.text
    assert envelope["version"] == "v2"
    assert envelope["data"] is None
    (error,) = envelope["errors"]
    assert error["code"]
    assert (error["validationError"] or {}).get("field") == field, error
    return str(error["description"])
