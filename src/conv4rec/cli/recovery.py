"""`conv4rec recovery`: how near fitted laws come to the law that the data were drawn from."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from conv4rec.cli import options
from conv4rec.cli.output import print_json, print_rows

if TYPE_CHECKING:
    from conv4rec.theory.recovery import Found
    from conv4rec.theory.recovery_result import RecoveryResult

CLAIMS = {
    "tv_is_below_the_bound": "total variation is at most the Pinsker bound, for every model, world and part",
    "tv_falls_with_data": "the total variation of conv4rec falls from each size to the next, in every world",
}


def recovery(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for recovery.json and pictures.")] = Path("recovery"),
    world: Annotated[
        list[str] | None, typer.Option("--world", help="low-rank or neighbourhood; may be repeated. Both.")
    ] = None,
    size: Annotated[
        list[int] | None, typer.Option("--size", help="Mean interactions a user; may be repeated. 10, 30, 90, 270.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="conv4rec, narrow, pair, popularity, empirical; may be repeated. All."),
    ] = None,
    weight: Annotated[
        list[float] | None,
        typer.Option("--weight", help="Weight of the rating part; may be repeated. 0, 0.1, 1, 10, 100."),
    ] = None,
    seeds: Annotated[int | None, typer.Option("--seeds", min=1, help="Worlds of each kind. 2.")] = None,
    users: Annotated[int | None, typer.Option("--users", min=2, help="Users of a world. 500.")] = None,
    items: Annotated[int | None, typer.Option("--items", min=2, help="Items of a world. 200.")] = None,
    config: options.Toml = None,
    set_: options.Sets = None,
    as_json: options.Json = False,
) -> None:
    """Fit on more and more data from simulated worlds, and measure the distance from their true law.

    Total variation of the joint law of item and rating, of p_consume and of p_rating, beside what the Pinsker bound
    makes of the excess risk; then with other weights on the two parts of the loss. --config and --set are settings of
    the model. What is found is written to recovery.json in the folder, with recovery.png, weights.png and report.html,
    a page of both, beside it.
    """
    from conv4rec.atomic import write_atomically
    from conv4rec.config import load_config, make_section
    from conv4rec.report.recovery import write_pictures
    from conv4rec.report.writer import check_extra
    from conv4rec.theory.recovery import RecoverySettings, recover, reweigh
    from conv4rec.theory.recovery_result import RecoveryResult

    check_extra()
    asked: dict[str, Any] = {"worlds": world, "sizes": size, "models": model, "weights": weight}
    asked |= {"seeds": seeds, "n_users": users, "n_items": items}
    given = {name: value for name, value in asked.items() if value is not None}
    settings = make_section(RecoverySettings, given, "recovery")
    ours = load_config(config, options.given(set_))
    report = None if as_json else _tell
    result = RecoveryResult(settings, recover(settings, ours, report), reweigh(settings, ours, report))
    told = result.to_dict()
    write_atomically(out / "recovery.json", lambda part: part.write_text(json.dumps(told, indent=1) + "\n"))
    pictures = write_pictures(result, out)
    if as_json:
        print_json(told | {"out": str(out), "pictures": [str(path) for path in pictures]})
    else:
        _show(result, told["claims"], out)


def _tell(found: "Found") -> None:
    """A line on standard error for each fit."""
    place = f"{found.world}, seed {found.seed}, {found.interactions:,} interactions"
    weight = "" if found.weight == 1 else f", weight {found.weight:g}"
    text = f"{place}: {found.model}{weight}: total variation {found.closeness.tv_joint:.3f}"
    Console(stderr=True).print(text, style="dim", highlight=False, markup=False, soft_wrap=True)


def _show(result: "RecoveryResult", claims: dict[str, Any], out: Path) -> None:
    console = Console()
    tables = (result.table(), result.weights_table(), result.rates())
    for table in tables:
        if table.height:
            print_rows(table)
            console.print()
    for name, holds in claims.items():
        verdict = {True: "holds", False: "DOES NOT HOLD", None: "not asked"}[holds]
        console.print(f"{verdict}: {CLAIMS[name]}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"{out}: recovery.json and pictures", highlight=False, markup=False, soft_wrap=True)
