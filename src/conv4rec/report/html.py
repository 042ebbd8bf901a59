"""HTML that is escaped unless it is known to be HTML: names of models and data sets are anybody's text."""

import json
from collections.abc import Iterable
from html import escape
from typing import Any, TypeAlias

VOID = frozenset(("br", "col", "link", "meta"))
"""Elements that have no end."""


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


Child: TypeAlias = "str | Iterable[Child] | None"
Attribute: TypeAlias = str | int | bool | None


def element(tag: str, *children: Child, **attributes: Attribute) -> Html:
    """An element around its children; text that is not Html is escaped, None is left out.

    Of the names of attributes a trailing `_` falls away and `_` becomes `-`: `class_`, `data_model`. True gives the
    name alone; None and False give nothing.
    """
    start = f"<{tag}{''.join(_attribute(name, value) for name, value in attributes.items())}>"
    return Html(start if tag in VOID else f"{start}{text(*children)}</{tag}>")


def text(*children: Child) -> Html:
    """Children one after the other."""
    return Html("".join(_child(child) for child in children))


def json_script(value: Any, *, id_: str) -> Html:
    """Data for scripts: JSON in which no `<` can end the element."""
    told = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return element("script", Html(told), type="application/json", id=id_)


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    plain = name.rstrip("_").replace("_", "-")
    return f" {plain}" if value is True else f' {plain}="{escape(str(value))}"'


def _child(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    return escape(child, quote=False) if isinstance(child, str) else text(*child)
