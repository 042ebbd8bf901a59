"""A report is written whole or refused in one line."""

import builtins
from pathlib import Path
from typing import Any

import pytest

from conv4rec.errors import DataError, MissingExtraError, SaveError
from conv4rec.report.writer import Written, write_report
from tests.made_records import failed_record, make_run

PNG = b"\x89PNG\r\n\x1a\n"


def test_a_page_and_a_png_for_every_picture(run: Path, written: Written) -> None:
    assert written.page == run / "report" / "report.html"
    assert sorted(path.name for path in written.page.parent.iterdir()) == sorted(
        [written.page.name, *(path.name for path in written.pictures)]
    )
    assert [path.name for path in written.pictures][:2] == ["ml-1m__random__figures.png", "ml-1m__random__cost.png"]
    assert len(written.pictures) == 10
    assert all(path.read_bytes().startswith(PNG) for path in written.pictures)


def test_failed_records_alone_make_a_page_without_pictures(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", models=(), extra=[failed_record()])
    written = write_report(run, tmp_path / "elsewhere")
    assert written == Written(tmp_path / "elsewhere" / "report.html", ())
    html = written.page.read_text()
    assert "failed: MissingExtraError: bpr needs implicit" in html
    assert html.count("There is nothing to draw.") == 16


def test_a_folder_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no records there; expected files written by `conv4rec compare`"):
        write_report(tmp_path)
    assert not (tmp_path / "report").exists()


def test_foreign_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "package.json").write_text('{"name": "left-pad"}')
    with pytest.raises(DataError, match=r"package\.json: not a record: "):
        write_report(tmp_path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", models=(), extra=[failed_record()])
    (tmp_path / "file").write_text("")
    with pytest.raises(SaveError, match=r"file/report\.html: cannot be written: "):
        write_report(run, tmp_path / "file")


@pytest.mark.parametrize("package", ["altair", "vl_convert"])
def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == package:
            raise ImportError(f"No module named {name!r}", name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=rf"a report needs {package}: pip install 'conv4rec\[report\]'"):
        write_report(tmp_path)
