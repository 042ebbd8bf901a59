"""The web page in a real browser: what people see and do, and what it must never do."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import httpx
import polars as pl
import pytest

from conv4rec.config import Config, override
from conv4rec.data.simulator import SimulatorConfig, simulate
from conv4rec.recommender import Conv4Rec
from conv4rec.service.settings import make_settings
from tests.made_records import make_run
from tests.service.browsers import LACKING, Browser, browser, missing
from tests.service.servers import served

SCRIPT, IMAGE = "<script>alert(1)</script>", '<img src=x onerror="alert(2)">'
needs_browser = pytest.mark.skipif(missing(), reason=LACKING)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, small_config: Config) -> Path:
    """A model of a simulated world, the two most popular items of which have hostile titles."""
    ratings = simulate(SimulatorConfig(n_users=300, n_items=120, n_interactions=25, rank=4)).ratings
    first, second = ratings.frame["item_id"].value_counts(sort=True)["item_id"].head(2)
    assert ratings.items is not None
    hostile = pl.col("item_id").replace_strict({first: SCRIPT, second: IMAGE}, default=pl.col("title"))
    titled = replace(ratings, items=ratings.items.with_columns(hostile.alias("title")))
    folder = tmp_path_factory.mktemp("world")
    Conv4Rec(override(small_config, ["train.epochs=2"])).fit(titled).save(folder / "hasty.conv4rec")
    return Conv4Rec(small_config).fit(titled).save(folder / "world.conv4rec")


@pytest.fixture(scope="module")
def site(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service of that model and one of two epochs, without keys, with records."""
    folder = tmp_path_factory.mktemp("site")
    run = make_run(folder / "run", models=("conv4rec", "ease"))
    about = {"models": (world.parent,), "active": "world", "store": f"sqlite:///{folder / 'store.db'}", "records": run}
    with served(make_settings(**about)) as client:
        yield client


@pytest.fixture(scope="module")
def window(site: httpx.Client) -> Iterator[Browser]:
    """One browser for all tests, which is closed before the service ends."""
    with browser() as opened:
        opened.driver.get(f"{site.base_url}/")
        yield opened


@contextmanager
def behaved(window: Browser, client: httpx.Client) -> Iterator[None]:
    """Nothing was asked of another machine, and nothing complained about."""
    yield
    window.driver.get("about:blank")
    allowed = (f"{client.base_url}/", "about:")
    assert {address for address in window.requested() if not address.startswith(allowed)} == set()
    assert window.complaints() == []


@pytest.fixture
def page(window: Browser, site: httpx.Client) -> Iterator[Browser]:
    """The page of user 1."""
    with behaved(window, site):
        window.driver.get(f"{site.base_url}/page/?user=1")
        window.one("#profile .card")
        window.settled()
        yield window


def titles(page: Browser, order: str) -> list[str]:
    """A list as it is shown."""
    return [each.text for each in page.all(f"ol[data-order={order}] button.title")]


def moved(page: Browser, before: list[str], order: str) -> list[str]:
    """The list, as soon as it is another than before."""
    page.until(lambda _: titles(page, order) != before, "the list stays as it was")
    page.settled()
    return titles(page, order)


@needs_browser
def test_a_user_is_found_and_the_lists_are_those_of_the_service(page: Browser, site: httpx.Client) -> None:
    page.one("#user-search").send_keys("12")
    page.one("#users [data-user='12']").click()
    page.until(lambda _: page.one("#history-title").text == "User 12", "another user")
    page.settled()
    for order in ("consume", "enjoy", "discover", "rating"):
        told = site.post("/v1/recommend", json={"users": [12], "k": 10, "rank_by": order}).json()["recommendations"]
        assert titles(page, order) == [row["title"] for row in told]
    assert len(page.all("ol[data-order=consume] svg.bars rect")) == 50  # five ratings of ten items


@needs_browser
def test_a_title_is_chosen_for_its_reasons(page: Browser, site: httpx.Client) -> None:
    button = page.one("ol[data-order=rating] button.title")
    item, name = button.get_attribute("data-item"), button.text
    button.click()
    page.one("#why .pair.reason")
    assert page.one("#why-title").text == name
    asked = {"users": [1], "items": [int(str(item))], "k": 8, "by": "rating"}
    told = site.post("/v1/explain", json=asked).json()["explanations"]
    shown = [row.text.split("\n")[0] for row in page.all("#why .pair.reason")]
    assert len(shown) == len(told)
    assert shown[1].startswith(told[1]["history_title"])
    page.all("#why .tabs button")[0].click()
    page.until(lambda _: "×" in page.one("#why .pair.reason .figure").text, "no reasons for taking it")


@needs_browser
def test_a_changed_rating_moves_the_lists_and_undoing_it_brings_them_back(page: Browser) -> None:
    before = titles(page, "consume")
    for row in page.all("#history-rows li")[:4]:
        row.find_element("css selector", "label:first-child").click()
    after = moved(page, before, "consume")
    assert page.all("ol .moved") != []
    assert "stored nowhere" in page.one("#history-note").text
    page.one("#reset").click()
    assert moved(page, after, "consume") == before


@needs_browser
def test_nothing_that_is_changed_is_stored(page: Browser, site: httpx.Client) -> None:
    before, told = titles(page, "consume"), site.get("/v1/users/1/history").json()
    page.one("#history-rows .remove").click()
    moved(page, before, "consume")
    assert site.get("/v1/users/1/history").json() == told
    kept = page.run("return [localStorage.length, sessionStorage.length, document.cookie]")
    assert kept == [0, 0, ""]


@needs_browser
def test_somebody_new_is_made_of_titles_and_hostile_ones_are_text(page: Browser) -> None:
    page.one("#clear").click()
    for words, title in (("script", SCRIPT), ("img", IMAGE)):
        search = page.one("#title-search")
        search.clear()
        search.send_keys(words)
        page.until(lambda _, title=title: page.one("#titles .name").text == title, "the title is not found")
        page.one("#titles .kinds button").click()
    page.until(lambda _: len(page.all("#history-rows li")) == 2, "two titles are not two items")
    assert [each.text for each in page.all("#history-rows .name")] == [IMAGE, SCRIPT]
    page.one("#lists ol button.title")
    page.settled()
    assert "thin" in page.one("#profile .flag").text
    page.one("#profile button.title").click()
    page.one("#why .pair.reason")
    assert page.one("#why-title").text in (SCRIPT, IMAGE)
    assert page.all("main script, main img, dialog script, dialog img") == []
    page.driver.switch_to.active_element.send_keys("\ue00c")


@needs_browser
def test_a_hostile_title_in_a_list_is_text(page: Browser, site: httpx.Client) -> None:
    rows = site.get("/v1/items", params={"query": "script"}).json()["items"]
    users = [row["user_id"] for row in site.get("/v1/users?k=300").json()["users"]]
    asked = {"users": users, "k": 10, "rank_by": "consume"}
    told = site.post("/v1/recommend", json=asked).json()["recommendations"]
    shown_to = next(row["user_id"] for row in told if row["item_id"] == rows[0]["item_id"])
    page.driver.get(f"{site.base_url}/page/?user={shown_to}")
    page.one("ol[data-order=consume] button.title")
    page.settled()
    assert SCRIPT in titles(page, "consume")


@needs_browser
def test_everything_can_be_done_with_the_keyboard(page: Browser) -> None:
    page.run("document.activeElement.blur()")
    down, enter, escape, space, tab = "\ue015", "\ue007", "\ue00c", " ", "\ue004"

    def press(key: str) -> str:
        page.driver.switch_to.active_element.send_keys(key)
        seen = (
            "const e = document.activeElement; return e.id || e.className.baseVal || e.className || e.type || e.tagName"
        )
        return str(page.run(seen))

    page.one("body").send_keys(tab)
    assert page.run("return document.activeElement.className") == "skip"
    assert press(enter) == "main"
    assert press(tab) == "user-search"
    press("7")
    page.until(lambda _: page.one("#users button").text.startswith("7"), "no user whose id begins with 7")
    press(tab)
    outline = page.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    press(enter)
    page.until(lambda _: page.one("#history-title").text == "User 7", "the user is not opened")
    page.settled()
    before = titles(page, "consume")
    page.run("document.querySelector('#history-rows input:checked').focus()")
    was = page.run("return document.activeElement.ariaLabel")
    press(down)
    assert page.run("return document.activeElement.ariaLabel") != was  # the focus has stayed in the row
    moved(page, before, "consume")
    page.run("document.querySelector('ol[data-order=enjoy] button.title').focus()")
    assert press(space) == "why-title"
    page.one("#why .pair.reason")
    assert press(escape) == "title"
    assert not page.one("main").find_elements("css selector", "[tabindex]:not([tabindex='0']):not([tabindex='-1'])")


@needs_browser
def test_every_control_has_a_name(page: Browser) -> None:
    nameless = """return [...document.querySelectorAll('button, input, select, a, [role=button], [role=img], svg')]
        .filter((e) => !(e.ariaLabel || e.textContent.trim() || (e.labels && e.labels.length)) && e.ariaLabel !== '')
        .map((e) => e.outerHTML)"""
    assert page.run(nameless) == []
    assert page.run("return document.documentElement.lang") == "en"
    levels = [int(each.tag_name[1]) for each in page.all("h1, h2, h3, h4") if each.is_displayed()]
    assert levels[0] == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


@needs_browser
def test_map_profile_and_models_are_shown(page: Browser) -> None:
    assert len(page.all("#map circle.treasure")) == 10
    assert len(page.all("#map circle.point")) > 20
    page.one("#map .treasures button").click()
    page.one("#why .pair.reason")
    page.driver.switch_to.active_element.send_keys("\ue00c")
    assert len(page.all("#profile .standing")) == 2
    assert len(page.all("#profile .double")) >= 2
    assert len(page.all("#models .card:last-child figure")) >= 2
    assert "ease" in page.one("#models .card:last-child table.grid").text


@needs_browser
def test_models_are_compared_and_switched_with_the_keyboard(page: Browser, site: httpx.Client) -> None:
    escape, enter, tab, shift = "\ue00c", "\ue007", "\ue004", "\ue008"
    before = titles(page, "consume")
    assert len(page.all("#model-files table.grid tbody tr")) == 2
    assert len(page.all("#model-files .panels figure")) == 4  # of the other model behind a click

    def press(*keys: str) -> None:
        page.driver.switch_to.active_element.send_keys(*keys)

    page.run("document.querySelector('#model-files [data-model=hasty]').focus()")
    press(enter)
    assert page.one("#switch-title").text == "Let hasty answer?"
    assert page.driver.switch_to.active_element.text == "Cancel"
    press(escape)
    assert site.get("/v1/models").json()["active"] == "world"
    press(enter)
    page.one("#switch-title")
    press(shift, tab)
    press(enter)
    page.until(lambda _: page.one("#model").text.startswith("hasty"), "another model does not answer")
    after = moved(page, before, "consume")
    told = site.post("/v1/recommend", json={"users": [1], "k": 10}).json()
    assert told["model"] == "hasty"
    assert after == [row["title"] for row in told["recommendations"]]
    assert page.all("ol .moved") != []
    page.until(lambda _: page.driver.switch_to.active_element.tag_name == "h3", "the focus is lost")
    page.one("#back").click()
    page.one("#switch button").click()
    assert moved(page, after, "consume") == before


@needs_browser
def test_another_model_that_somebody_else_let_answer_is_seen(page: Browser, site: httpx.Client) -> None:
    before = titles(page, "consume")
    site.post("/v1/models/hasty/activate")
    page.run("document.dispatchEvent(new Event('visibilitychange'))")  # whoever comes back to the tab
    try:
        page.until(lambda _: page.one("#model").text.startswith("hasty"), "the page still names the old model")
        moved(page, before, "consume")
    finally:
        site.post("/v1/models/rollback")


@needs_browser
def test_ictr_is_shown(page: Browser, site: httpx.Client) -> None:
    assert "recorded as shown" in page.one("#ictr").text
    asked = {"users": [1, 2], "k": 5, "record": True}
    rows = site.post("/v1/recommend", json=asked).json()["recommendations"]
    site.post("/v1/feedback", json={"events": [{"user_id": 2, "item_id": rows[-1]["item_id"]}]})
    page.driver.refresh()
    page.until(lambda _: "1 of 2" in page.one("#ictr").text, "no iCTR")


@needs_browser
def test_a_model_without_users_says_what_it_cannot_tell(
    window: Browser, fitted: Conv4Rec, tmp_path: Path, store: str
) -> None:
    path = fitted.save(tmp_path / "bare.conv4rec", histories=False)
    with served(make_settings(models=(path,), store=store)) as client, behaved(window, client):
        window.driver.get(f"{client.base_url}/page/")
        assert "without users" in window.one("#users li").text
        window.one("#title-search").send_keys("item 1")
        window.one("#titles .kinds button").click()
        window.one("#profile p.card")
        assert "without users" in window.one("#list-columns .card:nth-child(3) p").text
        assert len(titles(window, "enjoy")) == 10


@needs_browser
def test_a_model_of_named_types_without_ratings(
    window: Browser, small_config: Config, tmp_path: Path, store: str
) -> None:
    rows = [(u, i, ("view", "cart")[(u + i) % 2]) for u in range(40) for i in range(20) if (u * i) % 3]
    table = pl.DataFrame(rows, schema=["user_id", "item_id", "type"], orient="row")
    path = Conv4Rec(small_config).fit(table).save(tmp_path / "typed.conv4rec")
    with served(make_settings(models=(path,), store=store)) as client, behaved(window, client):
        window.driver.get(f"{client.base_url}/page/?user=4")
        window.one("#profile .card")
        window.settled()
        assert [each.text for each in window.all("#history-rows li:first-child label")] == ["cart", "view"]
        assert "no ratings" in window.one("#list-columns .card:nth-child(2) p").text
        before = titles(window, "consume")
        window.one("#history-rows .remove").click()
        moved(window, before, "consume")
        window.one("ol[data-order=consume] button.title").click()
        window.one("#why .pair.reason")


@needs_browser
@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_needs_no_sideways_scrolling(page: Browser, width: int) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    page.until(lambda _: page.run("return window.innerWidth") == width, "another width")
    assert page.run("return document.documentElement.scrollWidth") == width
    page.one("ol[data-order=discover] button.title").click()
    page.one("#why .pair.reason")
    assert page.run("const d = document.getElementById('why'); return d.scrollWidth <= d.clientWidth")
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size | {"width": 1280, "mobile": False})


@needs_browser
def test_a_key_is_asked_for_and_kept_for_the_tab_only(
    window: Browser, world: Path, store: str, keys: tuple[Path, dict[str, str]]
) -> None:
    path, by_role = keys
    with served(make_settings(models=(world,), store=store, keys=path)) as client:
        window.driver.get(f"{client.base_url}/")
        field = window.one("#key")
        field.send_keys("wrong\ue007")
        window.until(lambda _: window.one("#key-trouble").text == "there is no such key", "a wrong key is taken")
        field.send_keys(f"{by_role['read']}\ue007")
        window.one("#users button")
        assert not window.all("#key-dialog[open]")
        kept = window.run("return [Object.values(sessionStorage), localStorage.length, document.cookie]")
        assert kept == [[by_role["read"]], 0, ""]
        assert "a key of the role admin is needed" in window.one("#model-files").text
        assert window.all("#model-files button") == []
        window.run("sessionStorage.clear()")
        window.driver.get("about:blank")
    assert all("401" in line for line in window.complaints())
    assert all(address.startswith((str(client.base_url), "about:")) for address in window.requested())


def test_the_page_is_guarded_and_needs_no_key(world: Path, store: str, keys: tuple[Path, dict[str, str]]) -> None:
    with served(make_settings(models=(world,), store=store, keys=keys[0])) as client:
        assert client.get("/").headers["location"] == "/page/"
        for name in ("", "app.js", "page.css", "icon.svg"):
            answer = client.get(f"/page/{name}")
            assert answer.status_code == 200
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'self';")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert client.get("/page/app.js").headers["content-type"] == "text/javascript; charset=utf-8"
        for name in ("nothing.js", "..%2Fapp.py", "%2e%2e/app.py"):
            assert client.get(f"/page/{name}").status_code in (401, 404)
        assert client.get("/v1/users").status_code == 401


def test_nothing_of_the_page_is_inline_or_from_elsewhere() -> None:
    folder = Path(__file__).parents[2] / "src" / "conv4rec" / "service" / "page"
    for path in folder.iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "//www" not in text, path
        assert "http" not in text, path
        for word in (
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "document.write",
            "eval(",
            "style=",
            "onclick=",
            "<style",
        ):
            assert word not in text, (path, word)
