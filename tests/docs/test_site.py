"""The documentation as a website: it builds strictly, fetches nothing, and every page is in the menu."""

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.docs.reader import ROOT

DOCS = ROOT / "docs"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FETCHING = {"src", "srcset", "poster", "data"}
"""Attributes whose target a browser loads by itself; ``href`` too, where the tag is ``link``."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built with every warning as an error."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


class _Fetched(HTMLParser):
    """Collects what a browser would load for a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [
            value for name, value in attrs if value and (name in FETCHING or (tag, name) == ("link", "href"))
        ]


@pytest.mark.timeout(600)
def test_no_page_or_style_fetches_anything_from_a_network(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        for target in _Fetched(page.read_text(encoding="utf-8")).found:
            assert not re.match(r"(https?:)?//", target), f"{page.name} loads {target}"
            if not target.startswith(
                ("#", "data:", "/")
            ):  # 404.html is for servers, and has paths from the top
                assert (page.parent / target.split("#")[0].split("?")[0]).exists(), f"{page.name}: {target}"
    for style in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*['\"]?(https?:)?//", style.read_text(encoding="utf-8"))
    # The theme fetches a script for diagrams, and asks the host of a repository: neither is there.
    assert not any('class="mermaid"' in page.read_text(encoding="utf-8") for page in pages)
    assert not any('data-md-component="source"' in page.read_text(encoding="utf-8") for page in pages)


@pytest.mark.timeout(600)
def test_search_is_part_of_the_site(site: Path) -> None:
    index = (site / "search" / "search_index.js").read_text(encoding="utf-8")
    assert "reference/study-file.html#protocoloptimizer-sgd" in index
    assert "assets/iframe-worker.js" in (site / "index.html").read_text(encoding="utf-8")


def test_every_page_is_in_the_menu_but_tables_of_evidence() -> None:
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    named = re.findall(r"([\w/.-]+\.md)$", menu, re.MULTILINE)
    pages = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    assert len(named) == len(set(named))
    assert {name for name in pages if name.count("/") < 2} == set(named)
    assert all(name.startswith("evidence/") for name in pages - set(named))


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_search_finds_a_key_in_pages_opened_from_the_disk(site: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((site / "index.html").as_uri())
        page.click(".md-search__input")
        page.keyboard.type("nesterov", delay=50)
        page.wait_for_selector(".md-search-result__item")
        assert "protocol.optimizer sgd" in page.inner_text(".md-search-result__list")
        browser.close()
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:"))] == []
