"""The mails of the walks: everybody can read them, and the page that shows them here."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.demo import Demo
from tests.browser.looking import AXE, examine
from tests.browser.people import Person, button


def test_mails(demo: Demo, person: Callable[..., Person]) -> None:
    """One of each kind, alone as in a mail program, which has no policy of ours; and the page that shows one here."""
    reader, wrong = person(), []
    reader.context.add_init_script(path=AXE)
    mails = demo.mails("")
    kinds = {mail["subject"].strip(): mail for mail in mails}
    for words in ("Invito al portale", "Conferma la nuova email di recupero"):
        assert any(words in kind for kind in kinds), f"no mail says {words}: have the walks been before?"
    for kind, mail in kinds.items():
        reader.page.set_content(mail["html"])
        wrong += [f"{kind}: {what}" for what in examine(reader.page, mail=True)]
    page, newest = reader.page, mails[0]
    page.goto(demo.mail_page)
    page.get_by_label("Destinatario").fill(newest["to"])
    button(page, "FILTRA").click()
    page.get_by_role("link", name=newest["subject"]).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(newest["subject"])
    wrong += [*examine(page), *reader.wrong()]
    assert not wrong, "\n".join(wrong)
