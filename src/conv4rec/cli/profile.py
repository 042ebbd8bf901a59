"""`conv4rec profile`: what the model knows of a user."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from conv4rec.cli import options
from conv4rec.cli.output import print_json, print_rows

if TYPE_CHECKING:
    from conv4rec.verbs.profile import Profile, Style, Uncertainty


def profile(
    model: options.Model,
    user: options.User = None,
    history: options.History = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="Rows of every table; --json has them all.")] = 8,
    like: options.Like = None,
    as_json: options.Json = False,
) -> None:
    """Profile a user: rating style, taste by segment, nearest users, what is typical, and how sure the model is.

    Shares and styles are set beside those of all users. Lift in the history is the log of p_consume, the item left
    out, over its popularity: below 0 the rest of the history speaks against it.
    """
    from conv4rec.recommender import Conv4Rec

    fitted = Conv4Rec.load(model)
    ending, whom = options.ask(fitted, "profile", user, history)
    found: Profile = getattr(fitted, f"profile{ending}")(whom, like=like)
    if as_json:
        print_json({"model": str(model), "profile": found.to_dict()})
        return
    _print(found, rows)


def _print(found: "Profile", rows: int) -> None:
    familiar = found.familiarity
    _say(f"{found.n_interactions} interactions with {familiar.n_items} items; history: {familiar.verdict}")
    _say(f"lift {familiar.lift:.2f} nats, percentile {familiar.percentile:.0f}; {familiar.rule}")
    _say(_style(found.style))
    _say(f"next item: {_sure(found.uncertainty)}; of somebody unknown: {_sure(found.blank)}")
    for name, table in (
        ("taste", found.segments.head(rows)),
        ("nearest users", found.neighbours.head(rows)),
        ("most typical of the history", found.history.head(rows)),
        ("least typical of the history", found.history.tail(rows).reverse()),
    ):
        _say(f"\n{name}")
        print_rows(table)


def _style(style: "Style | None") -> str:
    if style is None:
        return "has rated nothing"
    spread = "" if style.spread is None else f", spread {style.spread:.2f} (percentile {style.spread_percentile:.0f})"
    return (
        f"{style.n_ratings} ratings, mean {style.mean:.2f}, "
        f"generosity {style.generosity:+.2f} (percentile {style.generosity_percentile:.0f}){spread}"
    )


def _sure(uncertainty: "Uncertainty") -> str:
    rating = uncertainty.rating_entropy
    told = "" if rating is None else f", its rating {rating:.2f} nats"
    return f"{uncertainty.consume_entropy:.2f} nats, as of {uncertainty.effective_items:.0f} items{told}"


def _say(text: str) -> None:
    Console().print(text, highlight=False, markup=False, soft_wrap=True)
