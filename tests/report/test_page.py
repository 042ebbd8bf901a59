"""The page is whole, keeps to itself, and runs nothing but its own scripts."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from conv4rec.report.writer import Written, write_report
from tests.made_records import make_record, make_run

EVIL = '</script><script>document.title="pwned"</script><img src=x onerror=alert(1)>'


class Page(HTMLParser):
    """Tags with their attributes, and the content of scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.lasttag == "script" and self.cdata_elem == "script":
            self.scripts[-1] += data
        else:
            self.words += data

    def values(self, name: str) -> list[str]:
        return [str(attributes[name]) for _, attributes in self.tags if name in attributes]


@pytest.fixture(scope="module")
def page(written: Written) -> Page:
    return Page(written.page.read_text())


def test_nothing_is_loaded_from_anywhere(page: Page, written: Written) -> None:
    assert page.values("src") == []
    assert not {"link", "iframe", "img", "object", "base"} & {tag for tag, _ in page.tags}
    beside = {path.name for path in written.pictures}
    assert all(link.startswith("#") or link in beside for link in page.values("href"))
    style = re.search(r"<style>(.*?)</style>", written.page.read_text(), re.DOTALL)
    assert style is not None
    assert not re.search(r"url\(|@import|https?:", style[1])


def test_only_the_two_scripts_may_run(page: Page) -> None:
    (policy,) = [str(a["content"]) for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    data, *code = page.scripts
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert len(code) == 2
    for script in code:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert len(json.loads(data)) == 35


def test_every_place_has_its_picture_and_every_link_its_target(page: Page) -> None:
    assert sorted(page.values("data-chart")) == sorted(json.loads(page.scripts[0]))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in page.values("href") if link.startswith("#")} <= set(ids)


def test_the_page_can_be_used_by_keyboard_and_reader(page: Page) -> None:
    tags = [tag for tag, _ in page.tags]
    assert [tags.count(tag) for tag in ("main", "nav", "header", "footer", "h1")] == [1] * 5
    assert ("html", {"lang": "en"}) in page.tags
    assert ("a", {"href": "#main", "class": "skip"}) in page.tags
    wide = [attributes for tag, attributes in page.tags if attributes.get("class") == "wide"]
    assert wide
    assert all(attributes["tabindex"] == "0" and attributes["aria-label"] for attributes in wide)
    assert all(a.get("aria-pressed") == "false" for tag, a in page.tags if tag == "button")


def test_the_warning_stands_before_the_figures(written: Written) -> None:
    html = written.page.read_text()
    assert html.index("leak: 799,982 of 800,167") < html.index('class="figures"')


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("evil") / "<b>"
    named = make_record("ease", notes=(EVIL,), warnings=(EVIL,), split=EVIL, params={EVIL: EVIL})
    return write_report(make_run(run, models=(), extra=[named.model_copy(update={"model": EVIL, "data": EVIL})])).page


def test_names_cannot_become_html(evil: Path) -> None:
    page = Page(evil.read_text())
    assert [tag for tag, _ in page.tags].count("script") == 3
    assert "img" not in {tag for tag, _ in page.tags}
    assert EVIL not in evil.read_text()
    assert page.values("data-model")[0] == EVIL


def browse(page: Path, folder: Path) -> Page:
    """The page as a browser without a network shows it."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("needs a browser: chromium is not installed")
    offline = ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder}", "--virtual-time-budget=10000"]
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", *offline, "--dump-dom", page.as_uri()]
    return Page(subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout)


def test_a_browser_without_network_draws_every_picture(written: Written, tmp_path: Path) -> None:
    seen = browse(written.page, tmp_path)
    drawn = [attributes for tag, attributes in seen.tags if tag == "svg" and attributes.get("class") == "marks"]
    assert len(drawn) == len(seen.values("data-chart")) == 35
    assert "could not be drawn" not in seen.words


def test_a_browser_runs_no_name(evil: Path, tmp_path: Path) -> None:
    seen = browse(evil, tmp_path)
    assert "conv4rec: <b>" in seen.words
    assert "img" not in {tag for tag, _ in seen.tags}
