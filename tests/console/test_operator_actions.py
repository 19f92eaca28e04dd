"""Operator actions from the page, against a real sidecar: by mouse, by keyboard, and with the right token."""

import pytest
from playwright.async_api import Browser, Page, expect

from tests.console.faults import faults, sideways
from tests.console.stage import NARROW, looking
from tests.e2e.processes import OPERATOR_TOKEN, READ_TOKEN, until
from tests.shells.running import Running, running
from tests.shells.test_flag import EASY, climb
from tests.shells.test_operator_actions import decisions

pytestmark = pytest.mark.asyncio(loop_scope="module")  # the browser lives in the module's loop
REFUSED = "Failed to load resource"
"""What Chromium writes into its console for an answer that is an error."""


async def _moves(sidecar: Running) -> list[str]:
    status = await sidecar.status()
    return [move["cause"] for move in status["moves"]]


async def _fill(page: Page, reason: str, token: str = OPERATOR_TOKEN) -> None:
    await page.get_by_label("Reason (kept permanently in the record)").fill(reason)
    if token:
        await page.get_by_label("Operator token").fill(token)


async def test_hold_and_resume_by_mouse_need_the_token_once(browser: Browser) -> None:
    """The record has the entered reason and the name of the token."""
    async with running(EASY) as sidecar, looking(browser, sidecar.urls.operator) as page:
        dialog = page.get_by_role("dialog")
        await page.get_by_role("button", name="Hold").click()
        await _fill(page, "the term starts <on> Monday")
        await dialog.get_by_role("button", name="Hold").click()
        await expect(dialog).to_contain_text("Done: hold")
        await expect(dialog).to_contain_text("by ada")
        await dialog.get_by_role("button", name="Close").click()
        await expect(page.locator("#served .facts")).to_contain_text("on hold by ada: the term starts <on> Monday")
        (hold,) = (await sidecar.status())["holds"]
        assert (hold["actor"], hold["reason"]) == ("ada", "the term starts <on> Monday")

        await page.get_by_role("button", name="Resume").click()
        await expect(page.get_by_label("Operator token")).to_be_hidden()
        await _fill(page, "it has started", token="")
        await dialog.get_by_role("button", name="Resume").click()
        await expect(dialog).to_contain_text("Done: resume")
        assert (await sidecar.status())["holds"] == []
        assert await page.evaluate("[document.cookie, localStorage.length]") == ["", 0]


async def test_each_of_several_holds_has_a_button_of_its_own(browser: Browser) -> None:
    """The dialog names whose hold it lifts, and only that one is lifted."""
    async with running(EASY) as sidecar, looking(browser, sidecar.urls.operator) as page:
        dialog = page.get_by_role("dialog")
        first = (await sidecar.act("hold", {"reason": "launch day"}))[1]["seq"]
        rolled = (await sidecar.act("rollback", {"reason": "payers wait"}))[1]["seq"]
        await expect(page.locator("#served .facts")).to_contain_text(
            "on hold by ada: launch day; ada (rollback): payers wait"
        )
        await expect(page.get_by_role("button", name="Hold", exact=True)).to_be_visible()
        await page.get_by_role("button", name=f"Resume {first}").click()
        await expect(dialog).to_contain_text("Lifts the hold of ada: launch day")
        await _fill(page, "launched")
        await dialog.get_by_role("button", name=f"Resume {first}").click()
        await expect(dialog).to_contain_text(f"the hold {first} of ada is lifted; 1 more stands")
        await dialog.get_by_role("button", name="Close").click()
        assert [each["id"] for each in (await sidecar.status())["holds"]] == [rolled]
        await page.get_by_role("button", name="Resume").click()
        await expect(dialog).to_contain_text("Lifts the hold of the rollback of ada: payers wait")
        await _fill(page, "they do not", token="")
        await dialog.get_by_role("button", name="Resume").click()
        await expect(dialog).to_contain_text("is lifted")
        assert (await sidecar.status())["holds"] == []


async def test_a_roll_back_by_keyboard_needs_a_confirmation(browser: Browser) -> None:
    """The focus of the confirmation is on No, and Escape changes nothing."""
    async with running(EASY) as sidecar, looking(browser, sidecar.urls.operator) as page:
        await climb(sidecar)
        press, focused = page.keyboard.press, page.locator(":focus")
        await expect(page.locator("#served .headline")).to_have_text("Push with a safety net")
        await page.keyboard.press("Tab")
        await expect(focused).to_have_text("Skip to the content")
        await press("Enter")
        for _ in range(10):
            await press("Tab")
            if await focused.get_attribute("id") == "action-rollback":
                break
        await expect(focused).to_have_text("Roll back")
        await press("Enter")
        await expect(focused).to_have_attribute("name", "reason")
        await page.keyboard.type("a feeling")
        await press("Tab")
        await page.keyboard.type(OPERATOR_TOKEN)
        await press("Enter")
        await expect(page.locator("#dialog-confirmation")).to_contain_text("timers now?")
        await expect(focused).to_have_text("No")
        await press("Escape")
        await expect(page.get_by_role("dialog")).to_be_hidden()
        await expect(focused).to_have_text("Roll back")
        assert "people" not in await _moves(sidecar)
        assert (await sidecar.status())["rung"] == 1

        await press("Enter")
        await page.keyboard.type("a feeling, again")
        await press("Tab")
        await page.keyboard.type(OPERATOR_TOKEN)
        await press("Enter")
        await expect(focused).to_have_text("No")
        await press("Shift+Tab")
        await expect(focused).to_have_text("Yes: roll back")
        await press("Enter")
        await expect(page.locator("#dialog-title")).to_have_text("Done: roll back")
        await press("Escape")
        await expect(page.locator("#served .headline")).to_have_text("Timers")
        status = await sidecar.status()
        assert (status["rung"], status["holds"][0]["reason"]) == (0, "a feeling, again")


async def test_an_approval_names_its_rung_and_epoch(browser: Browser) -> None:
    """The button names the rung, the dialog the epoch, and the button disappears after the approval."""
    async with running(EASY) as sidecar, looking(browser, sidecar.urls.operator) as page:
        await climb(sidecar)
        await page.get_by_role("button", name="Approve rung 2").click()
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_contain_text("Approves rung 2, push with a safety net for everybody, in epoch 1")
        await _fill(page, "looks right")
        await dialog.get_by_role("button", name="Approve rung 2").click()
        await expect(dialog).to_contain_text("Done: approve rung 2")
        approval = (await sidecar.status())["approval"]
        assert (approval["rung"], approval["epoch"], approval["reason"]) == (2, 1, "looks right")
        await expect(page.locator("#action-approve")).to_have_count(0)


async def test_a_reset_needs_a_confirmation(browser: Browser) -> None:
    """It cannot be undone."""
    async with running(EASY) as sidecar, looking(browser, sidecar.urls.operator) as page:
        await climb(sidecar)
        await page.get_by_role("button", name="Reset the evidence").click()
        await _fill(page, "a new cluster")
        dialog = page.get_by_role("dialog")
        await dialog.get_by_role("button", name="Reset the evidence").click()
        await expect(dialog).to_contain_text("Discard the evidence?")
        await dialog.get_by_role("button", name="Yes: reset the evidence").click()
        await expect(dialog).to_contain_text("Done: reset the evidence")

        async def is_anew() -> bool:
            return bool((await sidecar.status())["indicators"][0]["epoch"] == 2)

        await until(is_anew, "epoch 2")


async def test_a_note_names_a_release_and_changes_nothing(browser: Browser) -> None:
    """The log shows the note with its text."""
    async with running(EASY) as sidecar, looking(browser, sidecar.urls.operator) as page:
        await page.get_by_role("button", name="Note").click()
        await expect(page.locator(":focus")).to_have_attribute("id", "release")
        await page.get_by_label("Release (optional)").fill("2027.1")
        await _fill(page, "the new checkout")
        dialog = page.get_by_role("dialog")
        await dialog.get_by_role("button", name="Note").click()
        await expect(dialog).to_contain_text("Done: note")
        await dialog.get_by_role("button", name="Close").click()
        await expect(page.locator("#log")).to_contain_text("ada noted the release 2027.1")
        await expect(page.locator("#log")).to_contain_text("the new checkout")


async def test_a_freeze_is_once_or_every_week_and_is_thawed_by_its_name(browser: Browser) -> None:
    """Times are entered by the browser's clock and recorded in UTC; an existing name needs a tick."""
    async with running(EASY) as sidecar, looking(browser, sidecar.urls.operator, forgives=REFUSED) as page:
        dialog = page.get_by_role("dialog")
        await page.get_by_role("button", name="Freeze").click()
        await page.get_by_label("Name", exact=True).fill("term-start")
        from_, until = await page.evaluate(
            "[-3600e3, 3600e3].map((ms) => new Date(Date.now() + ms - new Date().getTimezoneOffset() * 60000)"
            ".toISOString().slice(0, 16))"
        )
        await page.get_by_label("From", exact=True).fill(from_)
        await page.get_by_label("Until", exact=True).fill(until)
        await _fill(page, "enrolment")
        await dialog.get_by_role("button", name="Freeze").click()
        await expect(dialog).to_contain_text("term-start forbids climbing")
        await dialog.get_by_role("button", name="Close").click()
        await expect(page.locator("#served .facts")).to_contain_text("frozen: term-start, by ada: enrolment")

        await page.get_by_role("button", name="Freeze").click()
        await page.get_by_label("Name", exact=True).fill("weekends")
        await page.get_by_label("Every week").check()
        await expect(page.get_by_label("Until", exact=True)).to_be_hidden()
        for day in ("Sat", "Sun"):
            await page.get_by_label(day).check()
        expires = await page.evaluate("new Date(Date.now() + 90 * 86400e3).toISOString().slice(0, 10)")
        await page.get_by_label("Expires").fill(expires)
        await _fill(page, "nobody is here", token="")
        await dialog.get_by_role("button", name="Freeze").click()
        await expect(dialog).to_contain_text("weekends forbids climbing")
        await dialog.get_by_role("button", name="Close").click()

        await page.get_by_role("button", name="Freeze").click()
        await expect(page.get_by_label("Replace the freeze of this name")).not_to_be_checked()
        await page.get_by_label("Name", exact=True).fill("weekends")
        await _fill(page, "nobody is here", token="")
        await dialog.get_by_role("button", name="Freeze").click()
        await expect(page.locator("#dialog-error")).to_contain_text("ada has the freeze weekends already")
        await page.get_by_label("Replace the freeze of this name").check()
        await dialog.get_by_role("button", name="Freeze").click()
        await expect(dialog).to_contain_text("in place of that of ada")
        await dialog.get_by_role("button", name="Close").click()

        await page.get_by_role("button", name="Thaw term-start").click()
        await _fill(page, "it went well", token="")
        await dialog.get_by_role("button", name="Thaw term-start").click()
        await expect(dialog).to_contain_text("term-start is thawed")
        await dialog.get_by_role("button", name="Close").click()
        await expect(page.get_by_role("button", name="Thaw term-start")).to_have_count(0)
        await expect(page.get_by_role("button", name="Thaw weekends")).to_be_visible()
        entries = (await decisions(sidecar))["entries"]
        frozen = next(each for each in entries if each.get("name") == "weekends")
        assert frozen["window"]["days"] == [5, 6]
        assert (frozen["window"]["from_minute"], frozen["window"]["lasts_minutes"]) == (0, 1440)


async def test_an_override_of_a_tester_is_chosen_and_cleared(browser: Browser) -> None:
    """The list names the user by a hash; the dialog of the end names whose it is."""
    async with running(EASY) as sidecar, looking(browser, sidecar.urls.operator) as page:
        dialog = page.get_by_role("dialog")
        await page.get_by_role("button", name="Override").click()
        await expect(page.locator(":focus")).to_have_id("user")
        await page.keyboard.type("7")
        await page.get_by_label("Mode", exact=True).select_option("push_with_safety_net")
        await page.get_by_label("Duration in hours", exact=True).last.fill("0.5")
        await _fill(page, "a test")
        await dialog.get_by_role("button", name="Override").click()
        await expect(dialog).to_contain_text("Done: override")
        await dialog.get_by_role("button", name="Close").click()
        (override,) = (await sidecar.status())["overrides"]
        assert (override["mode"], override["expires_ms"] - override["at_ms"]) == ("push_with_safety_net", 1_800_000)
        await expect(page.locator("#served .facts")).to_contain_text("of ada, push_with_safety_net for the user")
        await page.get_by_role("button", name=f"Clear override {override['id']}").click()
        await expect(dialog).to_contain_text(f"Ends the override {override['id']} of ada")
        await _fill(page, "it works", token="")
        await dialog.get_by_role("button", name=f"Clear override {override['id']}").click()
        await expect(dialog).to_contain_text("is cleared")
        assert (await sidecar.status())["overrides"] == []


async def test_an_invalid_freeze_is_refused_and_the_form_is_kept(browser: Browser) -> None:
    """The dialog shows the error of the sidecar."""
    async with running(EASY) as sidecar, looking(browser, sidecar.urls.operator, forgives=REFUSED) as page:
        dialog = page.get_by_role("dialog")
        await page.get_by_role("button", name="Freeze").click()
        await page.get_by_label("Name", exact=True).fill("term-start")
        await _fill(page, "enrolment")
        await dialog.get_by_role("button", name="Freeze").click()
        await expect(page.get_by_role("alert")).to_contain_text("the window must end after it begins")
        assert await page.get_by_label("Name", exact=True).input_value() == "term-start"
        assert await page.get_by_label("Reason (kept").input_value() == "enrolment"


async def test_an_outdated_approval_is_refused(browser: Browser) -> None:
    """The evidence was reset while the dialog was open, so the epoch differs."""
    async with running(EASY) as sidecar, looking(browser, sidecar.urls.operator, forgives=REFUSED) as page:
        await climb(sidecar)
        await page.get_by_role("button", name="Approve rung 2").click()
        await sidecar.act("reset", {"reason": "a new cluster"})
        await _fill(page, "looks right")
        dialog = page.get_by_role("dialog")
        await dialog.get_by_role("button", name="Approve rung 2").click()
        await expect(page.get_by_role("alert")).to_contain_text("rung 2 in epoch 2 is next, not rung 2 in epoch 1")
        assert (await sidecar.status())["approval"] is None


@pytest.mark.parametrize(
    ("token", "is_kept", "said"),
    [
        ("guessed", False, "not in SIDECAR_OPERATOR_TOKENS"),
        (READ_TOKEN, False, "operator actions need the role `operate`"),
        ("of-yesterday", True, "not in SIDECAR_OPERATOR_TOKENS"),
    ],
)
async def test_a_refused_token_is_not_kept(browser: Browser, token: str, *, is_kept: bool, said: str) -> None:
    """The entered reason is kept, the token is requested again, and nothing is recorded."""
    async with running(EASY) as sidecar, looking(browser, sidecar.urls.operator, forgives=REFUSED) as page:
        if is_kept:
            await page.evaluate("(token) => sessionStorage.setItem('operator-token', token)", token)
        await page.get_by_role("button", name="Hold").click()
        await _fill(page, "a fair", token="" if is_kept else token)
        dialog = page.get_by_role("dialog")
        await dialog.get_by_role("button", name="Hold").click()
        await expect(dialog.get_by_role("alert")).to_contain_text(said)
        await expect(page.locator(":focus")).to_have_attribute("name", "token")
        assert await page.get_by_label("Reason (kept").input_value() == "a fair"
        assert await page.evaluate("sessionStorage.length") == 0
        assert (await sidecar.status())["holds"] == []


async def test_an_action_without_a_reason_is_not_sent(browser: Browser) -> None:
    """The dialog requests the reason."""
    async with running(EASY) as sidecar, looking(browser, sidecar.urls.operator) as page:
        await page.get_by_role("button", name="Hold").click()
        await _fill(page, "   ")
        await page.get_by_role("dialog").get_by_role("button", name="Hold").click()
        await expect(page.get_by_role("alert")).to_contain_text("Enter a reason")
        await expect(page.locator(":focus")).to_have_attribute("name", "reason")
        assert (await sidecar.status())["holds"] == []


@pytest.mark.parametrize("action", ["Hold", "Freeze", "Override", "Roll back"])
async def test_the_dialog_is_accessible(browser: Browser, action: str) -> None:
    """Light and dark, on a phone, with every field, and during the confirmation."""
    async with running(EASY) as sidecar, looking(browser, sidecar.urls.operator, size=NARROW) as page:
        await page.get_by_role("button", name=action).click()
        if action == "Freeze":
            await page.get_by_label("Every week").check()
        elif action == "Roll back":
            await _fill(page, "a feeling")
            await page.get_by_role("dialog").get_by_role("button", name=action).click()
        for is_dark in (False, True):
            await page.emulate_media(color_scheme="dark" if is_dark else "light")
            assert await faults(page, *(("color-contrast",) if is_dark else ())) == []
        assert await sideways(page) == 0


async def test_no_secret_is_on_the_page() -> None:
    """Neither tokens of operators nor other secrets."""
    async with running(EASY) as sidecar, sidecar.session.get(sidecar.urls.operator) as answer:
        page = await answer.text()
        assert "May the timers be removed?" in page
        assert not [token for token in (OPERATOR_TOKEN, READ_TOKEN, "whsec_", "identity-key") if token in page]
