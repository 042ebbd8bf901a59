"""`conv4rec tune`: the best hyper-parameters of a model, by validation data, within a budget."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from conv4rec.cli import options
from conv4rec.cli.output import print_json
from conv4rec.errors import QueryError

if TYPE_CHECKING:
    from conv4rec.compare.jobs import Request
    from conv4rec.compare.tune import Found
    from conv4rec.peers.peer import Peer


def tune(
    data: options.Source,
    model: Annotated[str, typer.Option("--model", help="A model, or package.module:NAME.")] = "conv4rec",
    recipe: Annotated[str, typer.Option("--recipe", help="A protocol (see `conv4rec data recipes`).")] = "random",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of split, fit and search.")] = 0,
    window: Annotated[int, typer.Option("--window", min=1, help="Which window, where the recipe makes several.")] = 1,
    trials: options.Trials = None,
    seconds: options.Seconds = None,
    study: Annotated[
        str, typer.Option("--study", help="Where studies are kept: an SQLite file, or a URL that optuna takes.")
    ] = "runs/tune.db",
    params: options.Params = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write what was found to this TOML file.")] = None,
    config: options.Toml = None,
    set_: options.Sets = None,
    as_json: options.Json = False,
) -> None:
    """Search hyper-parameters within a budget of trials, of seconds, or both; the test part is not touched.

    The defaults are tried first, so that what is found is not worse on validation data. A search that was stopped
    goes on where it was, if data and settings are the same; limits may be raised. What is found is TOML: for conv4rec
    a file for `train --config`, for other models one for `compare --params MODEL=FILE`.
    """
    from conv4rec.compare.grid import Grid
    from conv4rec.compare.params import read_params
    from conv4rec.compare.prepare import for_search, load
    from conv4rec.compare.tune import Search, search
    from conv4rec.config import load_config
    from conv4rec.peers.models import find_model

    limits = options.limits(trials, seconds)
    if limits is None:
        raise QueryError("tune: no limit; expected --trials, --seconds or both")
    options.import_from_here()
    peer = find_model(model)
    grid = Grid(
        data=[data],
        models=[model],
        recipes=[recipe],
        seeds=[seed],
        config=load_config(config),
        overrides=options.given(set_),
        params=read_params(options.given(params), {model: peer}),
    )
    windows = grid.requests()
    if window > len(windows):
        raise QueryError(f"tune: --window {window}: recipe {recipe} makes {len(windows)}")
    request = windows[window - 1]
    loaded = load(request)
    wanted = Search(peer, for_search(loaded.prepared.task), loaded.fixed, limits)
    with redirect_stdout(sys.stderr):  # what models print is no answer
        found = search(wanted, storage=study, study=request.job.name, listener=_Progress(peer.monitor))
    _give(found, _toml(peer, request, found), out, as_json=as_json)


def _toml(peer: "Peer", request: "Request", found: "Found") -> str:
    """What was found: a comment that tells how, and the differences from the defaults."""
    from conv4rec.compare.markdown import budget_in_words
    from conv4rec.compare.params import are_settings, in_toml, settings_in_toml

    job, budget = request.job, found.budget
    about = f"{job.model} on {job.data}, {job.recipe}, seed {job.seed}: {budget_in_words((budget,))}"
    default = "failed" if budget.default is None else f"{budget.default:.6g}"
    head = f"# {about}\n# {budget.monitor} {budget.value:.6g}; with the defaults {default}\n"
    return head + (settings_in_toml(request.config, found.params) if are_settings(peer) else in_toml(found.params))


def _give(found: "Found", text: str, out: Path | None, *, as_json: bool) -> None:
    from conv4rec.atomic import write_atomically

    if out is not None:
        write_atomically(out, lambda part: part.write_text(text))
    if as_json:
        told: dict[str, Any] = {"params": found.params, "budget": found.budget.model_dump()}
        print_json(told | ({} if out is None else {"out": str(out)}))
    else:
        typer.echo(text, nl=False)


class _Progress:
    """A line on standard error for every trial."""

    def __init__(self, monitor: str) -> None:
        self.monitor, self.console = monitor, Console(stderr=True)

    def tell(self, **event: Any) -> None:
        if "tried" not in event:
            return
        value = event["value"]
        came = f"failed: {event['error']}" if value is None else f"{self.monitor} {value:.6g}"
        text = f"trial {event['tried']}: {came}, {event['seconds']:.1f} s"
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)
