"""The mail catcher: what is sent comes out as it was meant."""

import re
import smtplib
from email.message import EmailMessage

from tests.sandbox_process import SandboxProcess


def letter(subject: str = "Perché così è") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "portale@example.com"
    message["To"] = "Anna <anna@example.com>"
    message["Subject"] = subject
    message.set_content("Città è qui: http://example.com/a?b=1&c=2.\n" + "lungo " * 60, cte="quoted-printable")
    message.add_alternative("<p>Città <b>è</b> qui</p><script>alert(1)</script>", subtype="html")
    return message


def send(sandbox: SandboxProcess, message: EmailMessage, *recipients: str) -> None:
    with smtplib.SMTP("127.0.0.1", sandbox.smtp_port, timeout=10) as server:
        server.send_message(message, to_addrs=list(recipients))


def page(sandbox: SandboxProcess, path: str) -> str:
    answer = sandbox.http.get(f"{sandbox.url}/_sandbox/mail/{path}", timeout=10)
    assert answer.status_code == 200
    return answer.text


def test_each_recipient_gets_the_decoded_mail(sandbox: SandboxProcess) -> None:
    send(sandbox, letter(), "Anna@example.com", "berto@example.com")
    assert [mail["to"] for mail in sandbox.mail()] == ["berto@example.com", "anna@example.com"]
    (mail,) = sandbox.mail("ANNA@example.com")
    assert set(mail) == {"to", "subject", "text", "html", "date"}
    assert mail["subject"] == "Perché così è"
    assert mail["text"].startswith("Città è qui")
    assert "lungo " * 60 in mail["text"]
    assert "Città <b>è</b>" in mail["html"]


def test_the_newest_comes_first(sandbox: SandboxProcess) -> None:
    for subject in ("prima", "seconda"):
        send(sandbox, letter(subject=subject), "anna@example.com")
    assert [mail["subject"] for mail in sandbox.mail("anna@example.com")] == ["seconda", "prima"]


def test_a_mail_in_an_unknown_character_set_is_kept(sandbox: SandboxProcess) -> None:
    raw = b"Subject: strana\r\nContent-Type: text/plain; charset=klingon\r\n\r\ncontenuto\r\n"
    with smtplib.SMTP("127.0.0.1", sandbox.smtp_port, timeout=10) as server:
        server.sendmail("a@example.com", ["anna@example.com"], raw)
    assert "contenuto" in sandbox.mail("anna@example.com")[0]["text"]


def test_a_person_finds_and_reads_a_mail(sandbox: SandboxProcess) -> None:
    send(sandbox, letter(), "anna@example.com")
    send(sandbox, letter(subject="Altra"), "berto@example.com")
    listing = page(sandbox, "?to=anna@example.com")
    assert "Perché così è" in listing
    assert "Altra" not in listing
    detail = page(sandbox, f"{mail_number(listing)}/")
    assert '<a href="http://example.com/a?b=1&amp;c=2">http://example.com/a?b=1&amp;c=2</a>.' in detail
    assert "<script>" not in detail


def test_the_html_of_a_mail_is_shut_in(sandbox: SandboxProcess) -> None:
    send(sandbox, letter(), "anna@example.com")
    number = mail_number(page(sandbox, ""))
    answer = sandbox.http.get(f"{sandbox.url}/_sandbox/mail/{number}/html", timeout=10)
    assert "Città <b>è</b>" in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "sandbox allow-popups allow-popups-to-escape-sandbox" in policy
    assert "default-src 'none'" in policy
    assert "script-src 'none'" in policy


def test_a_mail_that_is_not_there_is_not_found(sandbox: SandboxProcess) -> None:
    assert sandbox.http.get(f"{sandbox.url}/_sandbox/mail/999999/", timeout=10).status_code == 404


def mail_number(listing: str) -> str:
    (number,) = re.findall(r'href="/_sandbox/mail/(\d+)/"', listing)
    return str(number)
