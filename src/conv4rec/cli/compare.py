"""`conv4rec compare`: models side by side, on the same parts, in the same run."""

import shlex
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from conv4rec.cli import options
from conv4rec.cli.output import print_json

if TYPE_CHECKING:
    from conv4rec.compare.events import Event
    from conv4rec.compare.jobs import Job
    from conv4rec.records import Record

SHOWN = ("ndcg@20", "rmse", "nll")
INTERRUPTED = 130
"""Exit status of what a user interrupts."""


def compare(
    data: Annotated[list[str], typer.Option("--data", help="A named data set or a path; may be repeated.")],
    recipe: Annotated[
        list[str] | None, typer.Option("--recipe", help="A protocol (see `conv4rec data recipes`); may be repeated.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="A model, or package.module:NAME; may be repeated. Default: all there are."),
    ] = None,
    seed: Annotated[
        list[int] | None, typer.Option("--seed", min=0, help="Of split and fit; may be repeated. Default: 0.")
    ] = None,
    run: Annotated[Path, typer.Option("--run", help="The folder of the run.")] = Path("runs/compare"),
    trials: options.Trials = None,
    seconds: options.Seconds = None,
    storage: Annotated[
        str | None, typer.Option("--storage", help="Where studies are kept: a URL or an SQLite file. Else RUN/tune.db.")
    ] = None,
    params: options.Params = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=0.001, help="Most seconds for one step: loading, a fit, measuring.")
    ] = None,
    slices: Annotated[bool, typer.Option(help="Measure by popularity and by length of history, too.")] = True,
    over_time: Annotated[bool, typer.Option("--over-time", help="Measure recall@K^beta, too.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Repeat jobs that have been done.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Repeat jobs that failed.")] = False,
    report: Annotated[bool, typer.Option(help="Write the page of `conv4rec report`, too.")] = True,
    config: options.Toml = None,
    set_: options.Sets = None,
    as_json: options.Json = False,
) -> None:
    """Compare models on the same parts of the same data: quality with intervals and tests, and what it costs.

    Every job runs in a process of its own, and one that fails is a row that says why. A run that was stopped goes on
    where it was. With --trials or --seconds the hyper-parameters of every model are searched first, on validation
    data, each within the same budget. The tables show all that the folder holds; they are printed and written to
    RUN/compare.md and RUN/compare.json, and with the extra `report` there is a page in RUN/report.
    """
    from conv4rec.compare.grid import Grid
    from conv4rec.compare.jobs import RunFolder
    from conv4rec.compare.params import read_params
    from conv4rec.compare.run import Repeat, run_jobs
    from conv4rec.config import load_config
    from conv4rec.peers.models import all_models, find_model

    options.import_from_here()
    names = options.given(model) if model else list(all_models())
    grid = Grid(
        data=data,
        models=names,
        recipes=options.given(recipe) if recipe else ("random",),
        seeds=seed if seed else (0,),
        config=load_config(config),
        overrides=options.given(set_),
        params=read_params(options.given(params), {name: find_model(name) for name in names}),
        limits=options.limits(trials, seconds),
        storage=storage,
        slices=slices,
        over_time=over_time,
    )
    with _Progress() as progress:
        repeat, folder = Repeat(all=again, failed=retry), RunFolder(run)
        try:
            run_jobs(grid.requests(), folder, listener=progress, repeat=repeat, timeout=timeout)
        except KeyboardInterrupt:
            progress.say(f"stopped; the same command goes on. What has been done lies in {run}")
            raise typer.Exit(INTERRUPTED) from None
    has_figures = _give(run, as_json=as_json)
    if report:
        _write_page(run)
    if not has_figures:
        raise typer.Exit(1)


def _give(run: Path, *, as_json: bool) -> bool:
    """Write and print what the run says; whether there are any figures."""
    from conv4rec.cli.doctor import examine
    from conv4rec.compare.result import MARKDOWN, write_result

    found = examine()
    machine = {name: found[name] for name in ("version", "machine", "torch")}
    command = shlex.join(["conv4rec", *sys.argv[1:]])
    result = write_result(run, command=command, machine=machine)
    if as_json:
        print_json(result)
    else:
        typer.echo((run / MARKDOWN).read_text())
    return any(record["error"] is None for record in result["records"])


def _write_page(run: Path) -> None:
    from conv4rec.errors import MissingExtraError
    from conv4rec.report.writer import write_report

    try:
        said = str(write_report(run).page)
    except MissingExtraError as error:
        said = f"no page: {error}"
    Console(stderr=True).print(said, highlight=False, markup=False, soft_wrap=True)


class _Progress:
    """A line on standard error for every job that has ended, and one that moves for the job at hand."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.status = self.console.status("")
        self.place = ""

    def __enter__(self) -> "_Progress":
        self.status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.status.stop()

    def say(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def on_start(self, job: "Job", *, number: int, total: int) -> None:
        window = f" window {job.window}" if job.window > 1 else ""
        self.place = f"[{number}/{total}] {job.data} {job.recipe} seed {job.seed}{window} {job.model}"
        self._show("starting")

    def on_event(self, job: "Job", event: "Event") -> None:  # noqa: ARG002
        if "stage" in event:
            self._show(event["stage"])
        elif "trial" in event:
            self._show(f"trial {event['trial']}")
        elif event.get("tried") is not None and event["value"] is None:
            self.say(f"{self.place}: trial {event['tried']} failed: {event['error']}")

    def on_interrupt(self, job: "Job", *, pause: float) -> None:  # noqa: ARG002
        self.say(f"{self.place}: interrupted; once more within {pause:g} s ends the run")

    def on_end(self, job: "Job", record: "Record", *, was_there: bool) -> None:  # noqa: ARG002
        self.say(f"{self.place}: {'done before: ' if was_there else ''}{_in_short(record)}")

    def _show(self, text: str) -> None:
        from rich.markup import escape

        self.status.update(escape(f"{self.place}: {text}"))


def _in_short(record: "Record") -> str:
    if record.error is not None:
        return f"failed: {record.error}"
    figures = [f"{name} {record.metrics[name]:.4f}" for name in SHOWN if name in record.metrics]
    seconds = record.cost.fit_seconds
    return ", ".join([*figures, *([] if seconds is None else [f"fit {seconds:.1f} s"])])
