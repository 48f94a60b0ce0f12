"""The holder's pages, as a browser without scripts sees them."""

import re

import pytest
import requests

from tests.sandbox.partner import MARIO, NAME, PASSWORD, RECOVERY, Partner, ok, tax_code
from tests.sandbox_process import SandboxProcess

NEW_PASSWORD = "Nuova!2027"
WRONG = "Casella PEC o password non corretti."


class Browser:
    """A holder's browser."""

    def __init__(self, sandbox: SandboxProcess) -> None:
        self.sandbox = sandbox
        self.http = requests.Session()

    def open(self, page: str) -> requests.Response:
        return self.http.get(self._url(page), timeout=20)

    def send(self, page: str, /, **fields: str) -> requests.Response:
        """Open a page, fill its form in and send it."""
        self.open(page)
        secret = {"csrfmiddlewaretoken": self.http.cookies.get("sandbox_csrftoken", "")}
        headers = {"Origin": self.sandbox.url}
        return self.http.post(self._url(page), data=fields | secret, headers=headers, timeout=20)

    def log_in(self, password: str = PASSWORD, address: str = NAME, tab: str = "", **fields: str) -> requests.Response:
        return self.send(f"/login/?tab={tab}", address=address, password=password, **fields)

    def set_password(self, link: str, password: str = PASSWORD, repeated: str | None = None) -> requests.Response:
        return self.send(link, new_password=password, repeated=password if repeated is None else repeated)

    def ask_for_reset(self, address: str = NAME, holder_code: str = MARIO) -> requests.Response:
        return self.send("/reset-password/", address=address, holder_code=holder_code)

    def _url(self, page: str) -> str:
        return page if page.startswith("http") else self.sandbox.url + page


@pytest.fixture
def browser(sandbox: SandboxProcess) -> Browser:
    return Browser(sandbox)


@pytest.fixture
def first_link(partner: Partner) -> str:
    """The link that Mario got when his casella was activated."""
    partner.account(active=True)
    return newest_link(partner.sandbox)


@pytest.fixture
def holder(browser: Browser, first_link: str) -> Browser:
    """The browser of Mario, who has set his password."""
    browser.set_password(first_link)
    return browser


def newest_link(sandbox: SandboxProcess) -> str:
    match = re.search(r"http\S+/password/\S+", sandbox.mail(RECOVERY)[0]["text"])
    assert match
    return match[0]


def test_the_login_page_has_what_a_holder_knows(browser: Browser) -> None:
    for address in ("/", "/login/", "/login"):
        text = browser.open(address).text
        for words in (
            *("Webmail", "Gestisci", "Casella PEC", "Password", "Resta collegato", "Password dimenticata?"),
            *("Seleziona versione", "Smart", "Classic", "ACCEDI", "Versione accessibile", 'lang="it"', "sandbox"),
        ):
            assert words in text, words


def test_pages_carry_a_strict_policy_and_cookies_of_their_own(browser: Browser) -> None:
    answer = browser.open("/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert set(browser.http.cookies.keys()) <= {"sandbox_csrftoken", "sandbox_sessionid"}
    assert not re.search(r"<script|<style| style=| on\w+=", answer.text)


@pytest.mark.parametrize(
    "path", ["css/bootstrap-italia.min.css", "aruba_sandbox/sandbox.css", "aruba_sandbox/forms.css"]
)
def test_static_files_are_served(browser: Browser, path: str) -> None:
    assert browser.open(f"/static/{path}").status_code == 200


def test_first_password_then_login_then_the_casella(browser: Browser, first_link: str) -> None:
    done = browser.set_password(first_link)
    assert "La password è stata impostata" in done.text
    inside = browser.log_in()
    assert inside.url.endswith("/casella/")
    for words in (NAME, "Certificato", "Mario Rossi", "m*****@e*****.com", "Benvenuto"):
        assert words in inside.text
    assert RECOVERY not in inside.text


@pytest.mark.parametrize(
    ("tab", "page"), [("", "/casella/"), ("webmail", "/casella/"), ("gestisci", "/casella/gestisci/")]
)
def test_the_tab_says_where_to_go(holder: Browser, tab: str, page: str) -> None:
    assert holder.log_in(tab=tab).url.endswith(page)


@pytest.mark.parametrize(("stay", "kept"), [({}, False), ({"stay": "on"}, True)])
def test_staying_logged_in_outlives_the_browser(holder: Browser, stay: dict[str, str], kept: bool) -> None:
    holder.log_in(**stay)
    (cookie,) = [cookie for cookie in holder.http.cookies if cookie.name == "sandbox_sessionid"]
    assert bool(cookie.expires) is kept


def test_wrong_or_missing_login(holder: Browser) -> None:
    assert WRONG in holder.log_in("Sbagliata-1").text
    assert WRONG in holder.log_in(address="nessuno@tsrm.org").text
    missing = holder.log_in("").text
    assert "Compila questo campo." in missing
    assert 'aria-describedby="id_password_error"' in missing


def test_a_casella_without_password_cannot_be_entered(browser: Browser, partner: Partner) -> None:
    partner.account()
    assert WRONG in browser.log_in("").text or "Compila questo campo." in browser.log_in("").text
    assert WRONG in browser.log_in("qualcosa").text


@pytest.mark.parametrize("address", [NAME, "nessuno@tsrm.org"])
def test_too_many_wrong_passwords_ask_for_a_pause(holder: Browser, address: str) -> None:
    for _ in range(5):
        assert WRONG in holder.log_in("Sbagliata-1", address).text
    assert "Troppi tentativi" in holder.log_in(PASSWORD, address).text
    holder.sandbox.advance(301)
    assert "Troppi tentativi" not in holder.log_in(PASSWORD, address).text


def test_the_casella_wants_a_login_and_logout_ends_it(holder: Browser) -> None:
    for page in ("/casella/", "/casella/gestisci/"):
        assert holder.open(page).url.endswith("/login/")
    holder.log_in()
    assert "Sei uscito" in post_logout(holder).text
    assert holder.open("/casella/").url.endswith("/login/")


def test_a_post_without_its_csrf_token_is_refused(browser: Browser) -> None:
    answer = browser.http.post(f"{browser.sandbox.url}/login/", data={"address": NAME, "password": "x"}, timeout=10)
    assert answer.status_code == 403
    assert "Pagina scaduta" in answer.text


def test_changing_the_password_keeps_this_session_and_ends_others(holder: Browser) -> None:
    elsewhere = Browser(holder.sandbox)
    elsewhere.log_in()
    holder.log_in()
    wrong = holder.send("/casella/gestisci/", present="no", new_password=NEW_PASSWORD, repeated=NEW_PASSWORD)
    assert "La password attuale non è corretta." in wrong.text
    done = holder.send("/casella/gestisci/", present=PASSWORD, new_password=NEW_PASSWORD, repeated=NEW_PASSWORD)
    assert "La password è stata cambiata." in done.text
    assert elsewhere.open("/casella/").url.endswith("/login/")
    assert WRONG in elsewhere.log_in(PASSWORD).text
    assert elsewhere.log_in(NEW_PASSWORD).url.endswith("/casella/")


def test_a_suspended_casella_can_be_read_only(holder: Browser) -> None:
    ok(Partner(holder.sandbox).act("suspend"))
    assert "sola lettura" in holder.log_in().text


def test_a_closed_casella_cannot_be_entered(holder: Browser) -> None:
    holder.log_in()
    ok(Partner(holder.sandbox).act("cancellation", type="I"))
    assert holder.open("/casella/").url.endswith("/login/")
    assert WRONG in holder.log_in().text


@pytest.mark.parametrize(
    ("password", "complaint"),
    [
        ("Ab1!", "da 8 a 256 caratteri"),
        ("Ab1!" * 65, "da 8 a 256 caratteri"),
        ("abcdef1!", "maiuscola"),
        ("ABCDEF1!", "minuscola"),
        ("Abcdefg!", "cifra"),
        ("Abcdefg1", "carattere speciale"),
    ],
)
def test_the_password_rule_is_shown_and_checked(
    browser: Browser, first_link: str, password: str, complaint: str
) -> None:
    assert "Da 8 a 256 caratteri" in browser.open(first_link).text
    (error,) = re.findall(r'<ul class="errorlist"[^>]*><li>(.*?)</li>', browser.set_password(first_link, password).text)
    assert complaint in error


def test_both_passwords_must_be_the_same(browser: Browser, first_link: str) -> None:
    assert "non coincidono" in browser.set_password(first_link, PASSWORD, NEW_PASSWORD).text


def test_a_used_link_says_so(browser: Browser, first_link: str) -> None:
    browser.set_password(first_link)
    answer = browser.open(first_link)
    assert answer.status_code == 410
    assert "già stato usato" in answer.text
    assert "/reset-password/" in answer.text


def test_a_superseded_link_says_so(browser: Browser, first_link: str) -> None:
    browser.ask_for_reset()
    assert newest_link(browser.sandbox) != first_link
    assert "sostituito" in browser.open(first_link).text


def test_an_unknown_link_says_so(browser: Browser) -> None:
    answer = browser.open("/password/inventato/")
    assert answer.status_code == 404
    assert "non esiste" in answer.text


def test_a_link_of_a_closed_casella_says_so(browser: Browser, first_link: str) -> None:
    ok(Partner(browser.sandbox).act("cancellation", type="I"))
    assert "non è più attiva" in browser.open(first_link).text


def test_a_reset_link_sets_a_password_for_three_hours(holder: Browser) -> None:
    holder.ask_for_reset()
    link = newest_link(holder.sandbox)
    holder.sandbox.advance(3 * 3600 - 60)
    holder.set_password(link, NEW_PASSWORD)
    assert holder.log_in(NEW_PASSWORD).url.endswith("/casella/")
    holder.ask_for_reset()
    link = newest_link(holder.sandbox)
    holder.sandbox.advance(3 * 3600 + 1)
    assert "scaduto" in holder.open(link).text


@pytest.mark.parametrize(
    ("address", "holder_code", "mails"),
    [
        (NAME, MARIO, 2),
        (NAME.upper(), f" {MARIO.lower()} ", 2),
        (NAME, tax_code(502), 1),
        ("nessuno@tsrm.org", MARIO, 1),
        ("non è un indirizzo", "x", 1),
    ],
)
def test_the_reset_notice_is_the_same_whoever_exists(
    browser: Browser, first_link: str, address: str, holder_code: str, mails: int
) -> None:
    notice = browser.ask_for_reset(address, holder_code)
    assert notice.url.endswith("/reset-password/inviato/")
    assert notice.text == browser.open("/reset-password/inviato/").text
    assert len(browser.sandbox.mail(RECOVERY)) == mails


def test_the_reset_page_accepts_a_vat_number(browser: Browser, partner: Partner) -> None:
    vat_number = "00743110157"
    owner = partner.owner(userType="LIBERO_PROFESSIONISTA", vatNumber=vat_number)
    partner.account(active=True, ownerId={"id": owner["id"]})
    browser.ask_for_reset(holder_code=vat_number)
    assert "Reimposta" in browser.sandbox.mail(RECOVERY)[0]["subject"]


def test_an_unknown_page_is_not_found(browser: Browser) -> None:
    answer = browser.open("/niente/")
    assert answer.status_code == 404
    assert "Pagina non trovata" in answer.text


def post_logout(browser: Browser) -> requests.Response:
    secret = {"csrfmiddlewaretoken": browser.http.cookies["sandbox_csrftoken"]}
    return browser.http.post(f"{browser.sandbox.url}/logout/", data=secret, timeout=10)
