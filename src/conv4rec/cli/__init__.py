"""The command line: one thin file per command, and nothing here that Python could not do in three lines."""

import sys
import warnings
from typing import Annotated

import typer

from conv4rec._version import __version__
from conv4rec.cli import (
    bounds,
    compare,
    compress,
    config,
    data,
    demo,
    doctor,
    evaluate,
    explain,
    ictr,
    predict,
    profile,
    recommend,
    recovery,
    report,
    serve,
    similar,
    train,
    tune,
    types,
)
from conv4rec.errors import Conv4RecError

app = typer.Typer(
    name="conv4rec",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("tune")(tune.tune)
app.command("report")(report.report)
app.command("recommend")(recommend.recommend)
app.command("predict")(predict.predict)
app.command("explain")(explain.explain)
app.command("profile")(profile.profile)
app.command("similar")(similar.similar)
app.command("types")(types.types)
app.command("compress")(compress.compress)
app.command("bounds")(bounds.bounds)
app.command("recovery")(recovery.recovery)
app.add_typer(data.app, name="data")
app.command("ictr")(ictr.ictr)
app.command("serve")(serve.serve)
app.command("key")(serve.key)
app.command("config")(config.config)
app.command("doctor")(doctor.doctor)
app.command("demo")(demo.demo)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"conv4rec {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """One model for what users take and how they rate it, as probabilities."""


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    sys.stderr.write(f"conv4rec: {message}\n")


def main() -> None:
    """Run a command; an error of ours is one line on standard error and exit status 2, a warning is one line."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            app()
    except Conv4RecError as error:
        sys.stderr.write(f"conv4rec: {error}\n")
        sys.exit(2)
