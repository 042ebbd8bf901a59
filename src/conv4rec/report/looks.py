"""How models are told apart: colour, shape and dashes together, so that none of them is needed alone."""

from collections.abc import Iterable
from dataclasses import dataclass

COLOURS = ("#4B96F0", "#C38700", "#0B8674", "#E0409F", "#7E45F0", "#CC3522")
"""At least 3 : 1 against white and against the dark page, and distinct under each kind of colour blindness."""
SHAPES = {
    "circle": "M8 3a5 5 0 1 0 .01 0z",
    "square": "M3.5 3.5h9v9h-9z",
    "triangle-up": "M8 2.5l5.5 10h-11z",
    "diamond": "M8 2l5 6-5 6-5-6z",
    "cross": "M6 2h4v4h4v4h-4v4H6v-4H2V6h4z",
    "triangle-down": "M8 13.5l5.5-10h-11z",
}
"""Vega's name of a mark, and its outline on 16 x 16 pixels."""
DASHES = ((1, 0), (6, 3), (2, 2))


@dataclass(frozen=True)
class Look:
    """How a model is drawn."""

    colour: str
    shape: str
    dash: tuple[int, int]


def looks_of(models: Iterable[str]) -> dict[str, Look]:
    """A look for every model; the first 36 are all different."""
    names, looks = tuple(SHAPES), {}
    for n, model in enumerate(models):
        lap = n // len(COLOURS)
        looks[model] = Look(COLOURS[n % len(COLOURS)], names[(n + lap) % len(names)], DASHES[lap % len(DASHES)])
    return looks
