"""The page: one file with everything in it, that asks no network for anything."""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from conv4rec._version import __version__
from conv4rec.compare.columns import usual_columns
from conv4rec.compare.tables import Table
from conv4rec.report import sections
from conv4rec.report.comparison import all_figures, comparison
from conv4rec.report.drawing import VEGA_LITE, Picture, javascript, page_spec
from conv4rec.report.groups import Group
from conv4rec.report.html import Html, element, json_script, text
from conv4rec.report.looks import SHAPES, Look, looks_of

Looks = Mapping[str, Look]
Specs = dict[str, Any]
WIDTHS = {1: "one", 2: "two", 3: "three"}
"""How wide panels are in the page, by their number beside each other."""


@dataclass(frozen=True)
class Chapter:
    """Everything about the records of one recipe on one data set.

    Attributes:
        group: the records.
        table: all their figures, with tests.
        pictures: drawn from them.
        written: when the first and the last of them were written.
    """

    group: Group
    table: Table
    pictures: Sequence[Picture]
    written: tuple[datetime, datetime]


def page(run: str, chapters: Sequence[Chapter], looks: Looks) -> str:
    """The page about the run of this name."""
    specs: Specs = {}
    main = [_chapter(chapter, looks, specs) for chapter in chapters]
    return _whole(f"Report: {run}", run, element("ol", [_contents_of(chapter) for chapter in chapters]), main, specs)


def page_of_pictures(title: str, pictures: Sequence[Picture], below: Html) -> str:
    """A page with pictures, whose slugs name their files and whose looks are their own, and what stands below them."""
    specs: Specs = {}
    figures = [_figure(picture.slug, picture, looks_of(picture.models), specs) for picture in pictures]
    links = [element("li", element("a", picture.title, href=f"#{picture.slug}")) for picture in pictures]
    return _whole(title, title, element("ol", links), [element("section", figures, below)], specs)


def _whole(title: str, name: str, contents: Html, main: Sequence[Html], specs: Specs) -> str:
    body = element(
        "body",
        element("a", "Skip to the content", href="#main", class_="skip"),
        element("header", element("h1", title), element("p", _made_by())),
        element("nav", element("h2", "Contents"), contents, aria_label="Contents"),
        element("main", main, id="main"),
        element("footer", element("p", "All of this page is in its file; it asks no network for anything.")),
        *_scripts(specs),
    )
    return f"<!doctype html>\n{element('html', _head(name), body, lang='en')}\n"


def picture_id(group: Group, picture: Picture) -> str:
    """The name of a picture in addresses and files."""
    return f"{group.slug}__{picture.slug}"


def _made_by() -> str:
    version = VEGA_LITE.removeprefix("v").replace("_", ".")
    return f"Made by conv4rec {__version__}, drawn with Vega-Lite {version}."


def _head(run: str) -> Html:
    """No script runs but the two that are known by their hash, and nothing is loaded from anywhere."""
    hashes = " ".join(f"'sha256-{_hash(script)}'" for script in _code())
    policy = f"default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'unsafe-inline'; script-src {hashes}"
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"conv4rec: {run}"),
        element("style", Html(_own("page.css"))),
    )


def _scripts(specs: Specs) -> tuple[Html, ...]:
    return (json_script(specs, id_="specs"), *(element("script", Html(code)) for code in _code()))


@cache
def _code() -> tuple[str, str]:
    """The two scripts; made once, because bundling takes a second."""
    return javascript(), _own("page.js")


def _own(name: str) -> str:
    return (files("conv4rec.report") / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _contents_of(chapter: Chapter) -> Html:
    slug = chapter.group.slug
    links = {f"{slug}__comparison": "Comparison"}
    links |= {picture_id(chapter.group, picture): picture.title for picture in chapter.pictures if picture.panels}
    links |= {f"{slug}__search": "Hyper-parameters", f"{slug}__rules": "Rules and denominators"}
    inner = [element("li", element("a", title, href=f"#{id_}")) for id_, title in links.items()]
    return element("li", element("a", chapter.group.title, href=f"#{slug}"), element("ol", inner))


def _chapter(chapter: Chapter, looks: Looks, specs: Specs) -> Html:
    group, slug = chapter.group, chapter.group.slug
    usual = {column.key for column in usual_columns(group.measured)}
    columns = [column for column in chapter.table.columns if column.key in usual]
    return element(
        "section",
        element("h2", group.title, id=slug),
        sections.warnings(group),
        sections.facts(group, chapter.written),
        element("h3", "Comparison", id=f"{slug}__comparison"),
        comparison(chapter.table, columns),
        element("details", element("summary", "All figures"), all_figures(chapter.table)),
        list(_figures(chapter, looks, specs)),
        element("h3", "Hyper-parameters", id=f"{slug}__search"),
        sections.searches(group),
        element("h3", "Rules and denominators", id=f"{slug}__rules"),
        sections.notes(group),
        element("details", element("summary", "All settings"), sections.settings(group)),
    )


def _figures(chapter: Chapter, looks: Looks, specs: Specs) -> Iterator[Html]:
    for picture in chapter.pictures:
        yield _figure(picture_id(chapter.group, picture), picture, looks, specs)


def _figure(id_: str, picture: Picture, looks: Looks, specs: Specs) -> Html:
    """A picture, whose specifications are put into `specs`."""
    places = [f"{id_}__{number}" for number in range(1, len(picture.panels) + 1)]
    specs |= {place: page_spec(panel) for place, panel in zip(places, picture.panels, strict=True)}
    return element("figure", element("h3", picture.title, id=id_), _drawing(picture, places, looks, id_))


def _drawing(picture: Picture, places: Sequence[str], looks: Looks, id_: str) -> Html:
    if not places:
        return text(element("p", "There is nothing to draw."), sections.absent(picture.absent))
    file = f"{id_}.png"
    return text(
        element("figcaption", picture.caption, " ", element("a", "As PNG", href=file, download=True), "."),
        _key(picture, looks) if picture.with_key else None,
        element(
            "div",
            [element("div", class_="chart", data_chart=place) for place in places],
            class_=f"panels {WIDTHS[picture.columns]}",
        ),
        element("noscript", element("p", f"The picture needs JavaScript; without it, open {file} beside this page.")),
        sections.absent(picture.absent),
    )


def _key(picture: Picture, looks: Looks) -> Html:
    """Colours and shapes; a button picks its model out in all pictures."""
    buttons = [
        element("button", _symbol(looks[model]), model, type="button", aria_pressed="false", data_model=model)
        for model in picture.models
    ]
    return element("ul", [element("li", button) for button in buttons], class_="key", aria_label="Pick out a model")


def _symbol(look: Look) -> Html:
    path = element("path", d=SHAPES[look.shape], fill=look.colour)
    return element("svg", path, viewBox="0 0 16 16", width=16, height=16, aria_hidden="true")
