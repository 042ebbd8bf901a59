"""Text of others stays text."""

import json
from html.parser import HTMLParser
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from conv4rec.report.html import Html, element, json_script, text


class Reader(HTMLParser):
    """Keeps what a browser would see."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_text_is_escaped_and_html_is_not() -> None:
    inner = element("b", "1 < 2")
    assert inner == "<b>1 &lt; 2</b>"
    assert element("p", "a & b", inner) == "<p>a &amp; b<b>1 &lt; 2</b></p>"


def test_attributes_are_named_escaped_and_left_out() -> None:
    told = element("a", "x", class_="y", data_model='"<', download=True, hidden=False, title=None, tabindex=0)
    assert told == '<a class="y" data-model="&quot;&lt;" download tabindex="0">x</a>'


def test_children_may_be_nested_or_absent() -> None:
    assert text("a", None, ["b", [Html("<br>")]], element("meta", charset="utf-8")) == 'ab<br><meta charset="utf-8">'


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_a_browser_reads_back_what_was_written(words: str) -> None:
    read = Reader(element("p", words, title=words))
    assert [tag for tag, _ in read.tags] == ["p"]
    assert read.tags[0][1]["title"] == words
    assert "".join(read.words) == words


@given(st.recursive(st.text() | st.booleans() | st.integers(), lambda inner: st.lists(inner)))
def test_json_comes_back_and_cannot_end_its_element(value: Any) -> None:
    told = json_script(value, id_="x")
    inner = told.removeprefix('<script type="application/json" id="x">').removesuffix("</script>")
    assert "<" not in inner
    assert json.loads(inner) == value
