"""Colours are seen on light and on dark pages, and never tell models apart alone."""

import pytest

from conv4rec.report.looks import COLOURS, SHAPES, looks_of

WHITE, DARK = "#ffffff", "#16181d"
"""The papers in page.css."""


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_black_and_white_is_21() -> None:
    assert contrast("#000000", WHITE) == pytest.approx(21)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("paper", [WHITE, DARK])
def test_colours_stand_out_from_the_page(colour: str, paper: str) -> None:
    assert contrast(colour, paper) >= 3  # WCAG 2.2, 1.4.11: graphical objects


def test_36_models_look_different() -> None:
    looks = looks_of(str(n) for n in range(36))
    assert len({(look.colour, look.shape) for look in looks.values()}) == 36


def test_models_beside_each_other_differ_in_colour_and_shape() -> None:
    looks = list(looks_of("abcdef").values())
    assert {look.colour for look in looks} == set(COLOURS)
    assert {look.shape for look in looks} == set(SHAPES)
