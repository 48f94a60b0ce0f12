"""The holder's pages, as a browser without scripts sees them."""

import html
import re
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

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


def masked(page: requests.Response) -> str:
    """The recovery address on the notice of a reset."""
    (address,) = re.findall(r'class="masked">(.*?)<', page.text)
    return str(address)


def errors(page: requests.Response) -> list[str]:
    return [html.unescape(error) for error in re.findall(r'<ul class="errorlist"[^>]*><li>(.*?)</li>', page.text)]


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


def test_an_address_too_long_in_small_letters_is_refused_in_words(browser: Browser) -> None:
    for answer in (browser.log_in(address="İ" * 255), browser.ask_for_reset("İ" * 255)):
        assert answer.status_code == 200
        assert "255 caratteri" in errors(answer)[0]


def test_a_form_beyond_all_measure_is_refused_in_words(browser: Browser) -> None:
    answer = browser.log_in("x" * 3_000_000)
    assert answer.status_code == 400
    assert "Richiesta non valida" in answer.text


def test_the_accessible_version_stays_until_it_is_left(holder: Browser) -> None:
    plain = '<body class="plain">'
    assert plain in holder.open("/login/?tab=gestisci&versione=accessibile").text
    inside = holder.log_in(tab="gestisci")
    assert inside.url.endswith("/casella/gestisci/")
    assert plain in inside.text
    assert plain in post_logout(holder).text
    assert plain in holder.open("/reset-password/").text
    assert plain not in holder.open("/login/?versione=standard").text
    assert plain not in holder.open("/").text


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
    assert "da 8 a 256 caratteri" in browser.open(first_link).text
    answer = browser.set_password(first_link, password)
    (error,) = errors(answer)
    assert complaint in error
    assert re.search(r"<title>\s*Da correggere:", answer.text)
    assert 'href="#id_new_password"' in answer.text, "the summary leads to the field"


@pytest.mark.parametrize(
    "password",
    ["Perché-1", "ÈVERO-e-1", "Aa1!" + "🙂" * 252, " Aa1! con spazi ", "Aa1!<b>&amp;\"'"],
)
def test_passwords_of_all_letters_and_lengths_open_the_casella(
    browser: Browser, first_link: str, password: str
) -> None:
    """Also from the other kind of keyboard, which writes an accent as a character of its own."""
    browser.set_password(first_link, unicodedata.normalize("NFD", password))
    assert browser.log_in(unicodedata.normalize("NFC", password)).url.endswith("/casella/")
    assert WRONG in browser.log_in(password.strip()[:-1]).text


def test_both_passwords_must_be_the_same(browser: Browser, first_link: str) -> None:
    assert "non coincidono" in browser.set_password(first_link, PASSWORD, NEW_PASSWORD).text


def test_a_used_link_says_so_also_to_a_form_that_was_open(browser: Browser, first_link: str) -> None:
    """Two tabs, and the same form sent twice: the first password stays, and the page leads to the login."""
    browser.open(first_link)
    with ThreadPoolExecutor(4) as pool:
        tabs = [Browser(browser.sandbox) for _ in range(4)]
        passwords = [f"{PASSWORD}-{number}" for number in range(4)]
        answers = list(pool.map(lambda tab, password: tab.set_password(first_link, password), tabs, passwords))
    assert sorted(answer.status_code for answer in answers) == [200, 410, 410, 410]
    for answer, password in zip(answers, passwords, strict=True):
        entered = Browser(browser.sandbox).log_in(password).url.endswith("/casella/")
        assert entered is (answer.status_code == 200)
    again = browser.set_password(first_link, NEW_PASSWORD)
    assert again.status_code == 410
    assert "già stato usato" in again.text
    assert "entra con quella" in again.text
    assert WRONG in browser.log_in(NEW_PASSWORD).text


def test_a_superseded_link_says_so(browser: Browser, first_link: str) -> None:
    browser.ask_for_reset()
    assert newest_link(browser.sandbox) != first_link
    answer = browser.open(first_link)
    assert "sostituito" in answer.text
    assert 'href="/reset-password/"' in answer.text


@pytest.mark.parametrize("secret", ["inventato", quote("è\0"), "x" * 4000])
def test_an_unknown_link_says_so(browser: Browser, secret: str) -> None:
    answer = browser.open(f"/password/{secret}/")
    assert answer.status_code == 404
    assert "non esiste" in answer.text
    assert "copialo tutto intero" in answer.text


def test_a_link_of_a_closed_casella_says_so_and_offers_no_other(browser: Browser, first_link: str) -> None:
    browser.set_password(first_link)
    ok(Partner(browser.sandbox).act("cancellation", type="I"))
    answer = browser.open(first_link)
    assert "non è più attiva" in answer.text
    assert "segreteria del tuo Ordine" in answer.text
    assert "/reset-password/" not in answer.text


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
    ("address", "holder_code", "matches"),
    [
        (NAME, MARIO, True),
        (NAME.upper(), f" {MARIO.lower()} ", True),
        (NAME, tax_code(502), False),
        ("nessuno@tsrm.org", MARIO, False),
        ("non è un indirizzo", "x", False),
        ("İ" * 127, "\u200b", False),
    ],
)
def test_the_reset_notice_is_the_same_whoever_exists(
    browser: Browser, first_link: str, address: str, holder_code: str, matches: bool
) -> None:
    """Whoever guesses wrong sees an address too, the same each time; nothing but it differs."""
    notice = browser.ask_for_reset(address, holder_code)
    assert "/reset-password/inviato/?" in notice.url
    assert len(browser.sandbox.mail(RECOVERY)) == 1 + matches
    shown = masked(notice)
    assert re.fullmatch(r"[a-z0-9]\*{5}@[a-z0-9]\*{5}\.(com|it|org|net|eu|\*{3})", shown)
    if matches:
        assert shown == "m*****@e*****.com"
    again = browser.ask_for_reset(address, holder_code)
    assert again.text == notice.text
    right = browser.ask_for_reset()
    assert notice.text.replace(shown, "") == right.text.replace(masked(right), "")


def test_wrong_guesses_look_as_different_as_people_do(browser: Browser) -> None:
    """If all were the same, the one that is not would be the right one."""
    shown = {masked(browser.ask_for_reset(f"guess{number}@tsrm.org")) for number in range(12)}
    assert len(shown) > 4


def test_a_rare_ending_is_not_shown(browser: Browser, partner: Partner) -> None:
    """Hardly a wrong guess would look like it."""
    partner.account(active=True, recoveryEmail="mario@citta.museum")
    assert masked(browser.ask_for_reset()) == "m*****@c*****.***"


def test_no_step_of_a_reset_can_be_skipped_or_made_up(browser: Browser, first_link: str) -> None:
    mails = len(browser.sandbox.mail())
    notice = browser.ask_for_reset("nessuno@tsrm.org").url
    signed = notice.partition("?a=")[2]
    body, _, signature = signed.partition("%3A")
    for ticket in ("", "x", f"{body[:-2]}aa%3A{signature}", f"{signed}x", quote("è\0")):
        answer = browser.open(f"/reset-password/inviato/?a={ticket}")
        assert answer.url.endswith("/reset-password/")
        assert "scrivi prima i dati della casella" in answer.text
    # Two tabs: each keeps its own notice, and to read one again sends nothing.
    other = browser.ask_for_reset("altro@tsrm.org")
    assert masked(browser.open(notice)) == masked(browser.ask_for_reset("nessuno@tsrm.org"))
    assert masked(browser.open(other.url)) == masked(other)
    assert len(browser.sandbox.mail()) == mails
    # A mailed link is its casella's, whatever else is sent along.
    browser.send(first_link, new_password=PASSWORD, repeated=PASSWORD, username="altro@tsrm.org", address="x@tsrm.org")
    assert browser.log_in().url.endswith("/casella/")


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
