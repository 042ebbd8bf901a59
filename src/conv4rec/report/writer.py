"""Write a report: the page, and its pictures as PNG beside it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from conv4rec.atomic import write_atomically
from conv4rec.errors import MissingExtraError
from conv4rec.records import read_records, read_replicates, record_path

if TYPE_CHECKING:
    from conv4rec.report.groups import Group
    from conv4rec.report.page import Chapter, Looks

PAGE = "report.html"


@dataclass(frozen=True)
class Written:
    """The files of a report."""

    page: Path
    pictures: tuple[Path, ...]


def write_report(run: Path, out: Path | None = None) -> Written:
    """Write `report.html` and its pictures into `out`, the folder `report` of the run where it is None.

    Raises:
        MissingExtraError: altair or vl-convert-python is not installed.
        DataError: the folder holds no records, or a file that is none.
        SaveError: the files cannot be written.
    """
    check_extra()
    from conv4rec.report.drawing import png
    from conv4rec.report.groups import groups_of, unique
    from conv4rec.report.looks import looks_of
    from conv4rec.report.page import page, picture_id

    folder = run / "report" if out is None else out
    groups = groups_of(read_records(run))
    looks = looks_of(unique(sorted(record.model for group in groups for record in group.measured)))
    chapters = [_chapter(run, group, looks) for group in groups]
    html = page(run.resolve().name, chapters, looks)
    images = {
        folder / f"{picture_id(chapter.group, picture)}.png": png(picture)
        for chapter in chapters
        for picture in chapter.pictures
        if picture.panels
    }
    for path, image in images.items():
        _write(path, image)
    _write(folder / PAGE, html.encode())
    return Written(folder / PAGE, tuple(images))


def _write(path: Path, content: bytes) -> None:
    write_atomically(path, lambda part: part.write_bytes(content))


def check_extra() -> None:
    """Raise MissingExtraError where what draws is not installed."""
    try:
        import altair  # noqa: F401
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(f"a report needs {error.name}: pip install 'conv4rec[report]'") from None


def _chapter(run: Path, group: "Group", looks: "Looks") -> "Chapter":
    from conv4rec.compare.tables import make_tables
    from conv4rec.report.comparison import every_column, without_contest
    from conv4rec.report.page import Chapter
    from conv4rec.report.pictures import draw_all

    columns = every_column(group)
    (table,) = make_tables(group.records, lambda record: read_replicates(run, record), columns=columns)
    times = [record_path(run, record.job).stat().st_mtime for record in group.records]
    first, last = (datetime.fromtimestamp(time).astimezone() for time in (min(times), max(times)))
    return Chapter(group, without_contest(table), draw_all(group, looks), (first, last))
