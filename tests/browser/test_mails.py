"""The mails: everybody can read them, and the page that shows them here."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.demo import Demo
from tests.browser.looking import AXE, examine
from tests.browser.page_list import OFFICE
from tests.browser.people import Person, button


def test_mails(demo: Demo, person: Callable[..., Person]) -> None:
    """One of each kind, alone as in a mail program, which has no policy of ours; and the page that shows one here."""
    reader, wrong = person().let_in(OFFICE), []
    reader.context.add_init_script(path=AXE)
    kinds = re.findall(
        r'href="(/admin/members/ordine/\d+/messaggi/\w+/)"', reader.read("/admin/members/ordine/messaggi/")
    )
    assert len(kinds) > 20
    for kind in kinds:
        reader.page.set_content(reader.read(f"{kind}html/"))
        wrong += [f"{kind}: {what}" for what in examine(reader.page, mail=True)]
    page, newest = reader.page, demo.mails("")[0]
    page.goto(demo.mail_page)
    page.get_by_label("Destinatario").fill(newest["to"])
    button(page, "FILTRA").click()
    page.get_by_role("link", name=newest["subject"]).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(newest["subject"])
    wrong += [*examine(page), *reader.wrong()]
    assert not wrong, "\n".join(wrong)
