"""The page in a real browser."""

import shutil
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from reports.build import WrittenReport, build_report
from reports.page import render_page
from reports.results import StudyResults
from reports.tables import WordTable
from reports.tables.save import SavedTable

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

Open = Callable[..., Any]

CONTRASTS = """
() => {
  const channel = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = ([red, green, blue]) =>
    0.2126 * channel(red / 255) + 0.7152 * channel(green / 255) + 0.0722 * channel(blue / 255);
  const behind = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const found = parts(getComputedStyle(at).backgroundColor);
      if (found.length === 3 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const weak = [];
  let count = 0;
  for (const element of document.querySelectorAll("body *")) {
    const told = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!told || !element.checkVisibility()) continue;
    if (element.closest("svg, script, style, .visually-hidden")) continue;
    const style = getComputedStyle(element);
    const [a, b] = [luminance(parts(style.color)), luminance(behind(element))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (a + 0.05) / (b + 0.05);
    count += 1;
    const text = element.textContent.slice(0, 40);
    if (ratio < (large ? 3 : 4.5)) weak.push(`${ratio.toFixed(2)} ${element.className} ${text}`);
  }
  return { weak, count };
}
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def open_page(browser: Any, report: WrittenReport) -> Iterator[Open]:
    """Open the page of the made-up study; whatever goes wrong in it fails the test."""
    wrong: list[str] = []
    contexts = []

    def open_it(file: Path | None = report.page, width: int = 1280, script: str = "", **options: Any) -> Any:
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: wrong.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: wrong.append(request.url) if outside(request.url) else None)
        if script:
            page.add_init_script(script)
        assert file is not None
        page.goto(file.as_uri())
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert wrong == []


def outside(address: str) -> bool:
    return not address.startswith(("file:", "data:"))


def labels(page: Any, table: str = "t1") -> list[str]:
    """Labels in the rows that are shown; text far from the screen is not laid out and has no inner text."""
    rows = page.locator(f"#table-{table} tbody tr:not(.family):not([hidden]) > th")
    return [text.strip() for text in rows.all_text_contents()]


def values(page: Any, column: int, table: str = "t1") -> list[float]:
    cells = page.locator(f"#table-{table} tbody tr:not(.family) > :nth-child({column})")
    found = cells.evaluate_all("cells => cells.map(cell => cell.dataset.value ?? null)")
    return [float(value) for value in found if value is not None]


def status(page: Any) -> str:
    return str(page.locator("#status").text_content())


def test_it_opens_without_an_error_and_without_a_request(open_page: Open, synthetic: ModuleType) -> None:
    page = open_page()
    assert page.locator("h1").inner_text() == "A made-up comparison"
    assert synthetic.HOSTILE in labels(page)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    # Lazy images far from the screen would wait for ever. Asked from here: the page's own policy forbids
    # what wait_for_function would evaluate in it.
    page.evaluate("for (const image of document.images) image.loading = 'eager'")
    for _ in range(600):
        if page.evaluate("[...document.images].every(image => image.complete)"):
            break
        page.wait_for_timeout(100)
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")


def test_a_column_sorts_the_better_values_first_then_the_other_way_then_not_at_all(open_page: Open) -> None:
    page = open_page()
    before = labels(page)
    header = page.locator("#table-t1 .columns th").nth(1)
    assert "↑" in header.text_content()
    header.locator("button").click()
    assert header.get_attribute("aria-sort") == "descending"
    found = values(page, 2)
    assert len(found) > 3
    assert found == sorted(found, reverse=True)
    header.locator("button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    assert values(page, 2) == sorted(found)
    header.locator("button").click()
    assert header.get_attribute("aria-sort") is None
    assert labels(page) == before


def test_the_keyboard_sorts_and_a_screen_reader_hears_it(open_page: Open) -> None:
    page = open_page()
    page.locator("#table-t1 .columns th button").first.focus()
    page.keyboard.press("Enter")
    assert labels(page) == sorted(labels(page), key=str.casefold)
    assert "Sorted by Loss, ascending" in status(page)
    assert page.evaluate("document.activeElement.textContent") == "Loss"
    page.keyboard.press("Space")
    assert "descending" in status(page)


@pytest.fixture
def long_table(results: StudyResults, tmp_path: Path) -> Path:
    """The page of a table with many rows, whose numbers are words."""
    rows = tuple((results.labels[at % 3], f"{at - 20}.5 mm" if at else "–", f"word{at}") for at in range(60))
    table = WordTable("t2_long", "Many rows.", ("Loss", "Change", "What"), rows, (), pd.DataFrame(rows))
    page = tmp_path / "long.html"
    page.write_text(render_page(results, [SavedTable("T2", table, {})], [], []), encoding="utf-8")
    return page


def test_a_long_table_is_folded_and_its_rows_can_be_filtered(open_page: Open, long_table: Path) -> None:
    page = open_page(file=long_table)
    rows = page.locator("#table-t2_long tbody tr")
    box = page.get_by_label("Filter rows: Many rows.")
    assert not rows.first.is_visible()
    page.locator("summary", has_text="60 rows").click()
    assert rows.first.is_visible()
    box.fill("WORD2 mm")
    shown = page.locator("#table-t2_long tbody tr:not([hidden])")
    assert shown.count() == 11
    assert all("word2" in text for text in shown.all_inner_texts())
    assert status(page) == "11 of 60 rows shown."
    assert page.get_by_text("11 of 60 rows shown", exact=True).is_visible()
    box.fill("no such word")
    assert shown.count() == 0
    box.fill("")
    assert shown.count() == 60


def test_numbers_in_words_sort_as_numbers_and_gaps_come_last(open_page: Open, long_table: Path) -> None:
    page = open_page(file=long_table)
    page.locator("summary", has_text="60 rows").click()
    button = page.locator("#table-t2_long .columns button").nth(1)
    for expected in (["-19.5 mm", "-18.5 mm"], ["39.5 mm", "38.5 mm"]):
        button.click()
        assert page.locator("#table-t2_long tbody td:nth-child(2)").all_inner_texts()[:2] == expected
        assert page.locator("#table-t2_long tbody td:nth-child(2)").last.inner_text() == "–"


def test_losses_are_chosen_once_for_all_tables(open_page: Open) -> None:
    page = open_page()
    everything = labels(page)
    button = page.locator("#losses-button")
    button.click()
    assert button.get_attribute("aria-expanded") == "true"
    assert page.evaluate("document.activeElement.id") == "losses-search"
    page.keyboard.type("boundary")
    visible = page.locator("#losses-panel input[data-loss]:visible")
    assert 0 < visible.count() < len(everything)
    page.locator("#losses-search").fill("")
    first = page.locator("#losses-panel input[data-loss]").first
    place = first.get_attribute("data-loss")
    first.uncheck()
    hidden = page.locator(f"tr[data-losses~='{place}']")
    assert hidden.count() > 1
    assert not any(row.is_visible() for row in hidden.all())
    assert len(labels(page)) == len(everything) - 1
    assert "losses shown in tables" in status(page)
    assert page.locator(".row-count:visible").count() > 1
    page.keyboard.press("Escape")
    assert not page.locator("#losses-panel").is_visible()
    assert page.evaluate("document.activeElement.id") == "losses-button"
    button.click()
    page.locator("[data-choose=none]").click()
    assert labels(page) == []
    page.locator("[data-choose=all]").click()
    assert labels(page) == everything


def test_a_whole_family_can_be_left_out(open_page: Open) -> None:
    page = open_page()
    page.locator("#losses-button").click()
    family = page.locator("#losses-panel fieldset").first
    members = [text.strip() for text in family.locator(":scope > label").all_inner_texts()]
    family.locator(".whole-family").uncheck()
    assert not set(members) & set(labels(page))
    family.locator("input[data-loss]").first.check()
    if len(members) > 1:
        assert family.locator(".whole-family").evaluate("box => box.indeterminate")


def test_downloads_give_the_files(open_page: Open, report: WrittenReport) -> None:
    page = open_page()
    folder = report.page.parent if report.page else Path()
    for name in ("t1.csv", "t1.tex", "learning_curves.pdf"):
        with page.expect_download() as told:
            page.locator(f"a[download='{name}']").click()
        kind = "figures" if name.endswith("pdf") else "tables"
        assert told.value.suggested_filename == name
        assert told.value.path().read_bytes() == (folder / kind / name).read_bytes()


def test_the_theme_follows_the_system_until_the_reader_chooses_and_is_remembered(open_page: Open) -> None:
    page = open_page(color_scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(paper)
    assert page.locator("#theme-button").inner_text() == "Light"
    page.locator("#theme-button").click()
    assert page.evaluate(paper) == "rgb(255, 255, 255)" != dark
    page.reload()
    assert page.evaluate(paper) == "rgb(255, 255, 255)"
    page.locator("#theme-button").click()
    assert page.evaluate(paper) == dark


def test_the_theme_changes_where_nothing_may_be_stored(open_page: Open) -> None:
    forbidden = "Object.defineProperty(window, 'localStorage', { get() { throw new Error('forbidden'); } });"
    page = open_page(script=forbidden, color_scheme="light")
    page.locator("#theme-button").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"


def test_every_picture_has_a_text_and_headings_skip_no_level(open_page: Open) -> None:
    page = open_page()
    pictures = page.locator("img, [role=img]")
    assert pictures.count() > 3
    for picture in pictures.all():
        assert len(picture.get_attribute("alt") or picture.get_attribute("aria-label") or "") > 20
    levels = page.locator("h1, h2, h3, h4").evaluate_all("all => all.map(each => Number(each.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    doubled = "all => all.map(each => each.id).filter((id, at, ids) => ids.indexOf(id) !== at)"
    assert page.locator("[id]").evaluate_all(doubled) == []


def test_links_of_the_contents_lead_somewhere_and_the_first_tab_skips_them(open_page: Open) -> None:
    page = open_page()
    for link in page.locator("nav a").all():
        assert page.locator(f"[id='{(link.get_attribute('href') or '')[1:]}']").count() == 1
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_a_link_of_the_contents_leads_to_its_place_however_long_the_way(open_page: Open) -> None:
    page = open_page()
    bar = page.locator("#toolbar").bounding_box()["height"]
    for anchor in ("figures-F17", "tables-T3"):
        page.locator(f"nav a[href='#{anchor}']").click()
        page.wait_for_function(
            "([id, bar]) => { const top = document.getElementById(id).getBoundingClientRect().top;"
            " return top >= bar && top < bar + 60; }",
            arg=[anchor, bar],
        )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_its_ground(open_page: Open, theme: str) -> None:
    page = open_page(color_scheme=theme)
    page.locator("#losses-button").click()
    found = page.evaluate(CONTRASTS)
    assert found["count"] > 100
    assert found["weak"] == []


def test_paper_is_white_and_has_no_controls(open_page: Open) -> None:
    page = open_page(color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    for control in page.locator(".toolbar, nav, input, .actions button, .downloads").all():
        assert not control.is_visible()
    assert page.locator("#table-t1").is_visible()
    assert (
        page.evaluate("figure => getComputedStyle(figure).breakInside", page.query_selector("figure"))
        == "avoid"
    )
    assert page.evaluate(CONTRASTS)["weak"] == []


def test_a_narrow_screen_scrolls_tables_not_the_page(open_page: Open) -> None:
    page = open_page(width=420)
    assert page.evaluate("document.documentElement.scrollWidth") == 420
    assert page.locator("#losses-button").is_visible()


def test_without_scripts_everything_can_be_read(browser: Any, report: WrittenReport) -> None:
    assert report.page is not None
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(report.page.as_uri())
        assert page.locator("#table-t1").is_visible()
        assert not page.locator(".toolbar").is_visible()
        assert not any(button.is_visible() for button in page.locator("button").all())


@pytest.mark.full
@pytest.mark.timeout(900)
def test_a_large_study_opens_and_is_not_heavy(
    open_page: Open, wide_study: ModuleType, tmp_path: Path
) -> None:
    database = wide_study.make_wide_study(tmp_path, wide_study.Wide())
    built = build_report(database, wide_study.STUDY, tmp_path / "out", tmp_path, tmp_path)
    database.close()
    assert built.page is not None
    assert built.page.stat().st_size < 15_000_000
    page = open_page(file=built.page)
    assert page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd") > 0
    assert len(labels(page)) == 25
