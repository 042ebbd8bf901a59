"""`conv4rec report`: a page of tables and pictures about a run."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from conv4rec.cli import options
from conv4rec.cli.output import print_json


def report(
    run: Annotated[Path, typer.Argument(help="A folder written by `conv4rec compare` or `conv4rec evaluate --run`.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where to write; the folder `report` of the run by default.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Write one HTML file about a run, which needs no network, and its pictures as PNG beside it."""
    from conv4rec.report.writer import write_report

    written = write_report(run, out)
    if as_json:
        print_json({"page": str(written.page), "pictures": [str(path) for path in written.pictures]})
        return
    console = Console()
    console.print(f"{written.page}, and {len(written.pictures)} pictures beside it", highlight=False, markup=False)
