"""Pages in a browser: what acts, what is seen on a screen, a phone and paper, and what the keyboard alone can do.

They need Debian's Chromium and the extra `browser`; elsewhere they are left out.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import archbuilder
from tests.page import runs
from tests.processes import PATIENCE

CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("left out: there is no Chromium on this machine", allow_module_level=True)
pytest.importorskip("axe_playwright_python", reason="left out: they need pip install 'archbuilder[browser]'")

from axe_playwright_python.sync_playwright import Axe  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

AS_OTHERS = {"viewport": {"width": 1440, "height": 900}}
UNFOLD = """() => {
    document.querySelectorAll('details').forEach(one => { one.open = true; });
    document.querySelectorAll('.costs .fold').forEach(one => one.click());
}"""
FOCUSED = "document.activeElement.textContent"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        found = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages of a run, of a network, and of two that are compared."""
    made = tmp_path_factory.mktemp("pages")
    archbuilder.report(runs.of_classes(made / "run")).save(made / "run.html")
    archbuilder.report("he2015/resnet32").save(made / "network.html")
    archbuilder.report("related/highway19", "examples/maps/unet.yaml").save(made / "several.html")
    return made


@pytest.fixture
def show(browser: Browser, folder: Path) -> Iterator[Any]:
    """`show(name)`: a page in a window of its own, which has to have asked for nothing and to have had no error."""
    contexts, told = [], list[str]()

    def opened(name: str, **how: Any) -> Page:
        contexts.append(browser.new_context(**{**AS_OTHERS, **how}))
        contexts[-1].set_default_timeout(1000 * PATIENCE)
        page = contexts[-1].new_page()
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("request", lambda request: None if request.url[:5] in ("file:", "data:") else told.append(request.url))
        page.goto((folder / f"{name}.html").as_uri())
        page.told = told  # type: ignore[attr-defined]
        return page

    yield opened
    for context in contexts:
        context.close()
    assert told == []


@pytest.mark.parametrize(
    ("name", "scheme", "width"), [("run", "light", 1440), ("run", "dark", 390), ("several", "dark", 1440)]
)
def test_nobody_is_shut_out(show: Any, name: str, scheme: str, width: int) -> None:
    page = show(name, color_scheme=scheme, viewport={"width": width, "height": 900})
    if scheme == "light":
        page.evaluate(UNFOLD)
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []


@pytest.mark.parametrize("width", [320, 390, 1440])
def test_nothing_is_wider_than_the_screen(show: Any, width: int) -> None:
    for name in ("run", "several"):
        page = show(name, viewport={"width": width, "height": 800})
        for _ in range(2):
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            page.evaluate(UNFOLD)


def test_the_policy_of_a_page_is_kept(show: Any) -> None:
    page = show("network")
    page.evaluate("document.body.setAttribute('style', 'margin-left: 77px')")
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.acted = 1'}))")
    assert page.evaluate("getComputedStyle(document.body).marginLeft") != "77px"
    assert page.evaluate("window.acted") is None
    assert len(page.told) == 2
    page.told.clear()


def test_every_unit_shows_its_shortcut_folded_and_unfolded(show: Any) -> None:
    page = show("network")
    count = """[...document.querySelectorAll('a.unit:has(.fork)')].filter(unit => unit.checkVisibility())
        .map(unit => { const arc = unit.querySelector('.arc').getBoundingClientRect(), whole = unit.getBoundingClientRect();
            return arc.width > 50 && arc.height > 10 && arc.top >= whole.top && arc.right <= whole.right; })"""
    folded = page.evaluate(count)
    page.get_by_role("button", name="Unfold all").click()
    assert (folded, page.evaluate(count)) == ([True] * 5, [True] * 15)
    page.emulate_media(media="print")
    assert page.evaluate(count) == [True] * 15


def test_the_keyboard_folds_units_and_goes_from_one_to_the_next(show: Any) -> None:
    page = show("network")
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert "unit 1" in page.evaluate(FOCUSED)
    page.keyboard.press("ArrowRight")
    assert "unit 2" in page.evaluate(FOCUSED)
    assert page.locator("a.unit:focus .tip").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("a.unit:focus .tip").is_visible()
    page.keyboard.press("Enter")
    row = page.locator("[id='stage1/unit2']")
    assert row.is_visible()
    assert page.evaluate("document.activeElement.closest('tr').id") == "stage1/unit2"
    layers = "document.querySelectorAll('tr.l:not(.shut)').length"
    assert page.evaluate(layers) > 0
    page.keyboard.press("Enter")
    assert page.evaluate(layers) == 0


def test_the_keyboard_sorts_costs_and_brings_their_order_back(show: Any) -> None:
    page = show("network")
    names = "[...document.querySelectorAll('.costs tr.s th')].map(cell => cell.textContent)"
    before = page.evaluate(names)
    page.get_by_role("button", name="multiply-adds").focus()
    orders = []
    for _ in range(3):
        page.keyboard.press("Enter")
        sort = page.evaluate("document.querySelector('th:has(:focus)').getAttribute('aria-sort')")
        orders.append((sort, page.evaluate(names)))
    assert [sort for sort, _ in orders] == ["descending", "ascending", None]
    assert orders[0][1][:3] == ["stage 1", "stage 2", "stage 3"]
    assert orders[1][1][-1] == "stage 1"
    assert orders[2][1] == before


def test_the_keyboard_moves_along_the_curves(show: Any) -> None:
    page = show("run")
    slider = page.get_by_role("slider")
    slider.focus()
    assert "epoch 4: training error" in slider.get_attribute("aria-valuetext")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert "epoch 2: training error" in slider.get_attribute("aria-valuetext")
    assert "M500" in page.locator(".at").first.get_attribute("d")


def test_a_page_is_read_without_its_script(show: Any) -> None:
    page = show("run", java_script_enabled=False)
    assert page.locator(".costs tr.l").first.is_visible()
    assert page.locator(".plot svg path").first.is_visible()
    page.locator("#network summary").first.click()
    assert page.locator("a.unit[href='#stage1/unit2']").is_visible()
    for script in ("button", "input"):
        assert not page.locator(script).first.is_visible()


def test_paper_is_white_and_holds_what_is_read(show: Any) -> None:
    page = show("run", color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("nav").is_visible()
    assert page.locator(".matrix").is_visible()
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_links_of_a_page_in_a_notebook_stay_in_its_frame(show: Any, folder: Path) -> None:
    frame = archbuilder.report("he2015/resnet20")._repr_html_()
    (folder / "notebook.html").write_text(f"<!doctype html><title>notebook</title>{frame}")
    page = show("notebook")
    inside = page.frame_locator("iframe")
    inside.locator("nav a", has_text="Costs").click()
    inside.locator("a.unit[href='#stage2/unit1']").press("Enter")
    assert inside.locator("[id='stage2/unit1']").is_visible()
    assert page.url.endswith("notebook.html")
