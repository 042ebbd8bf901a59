"""Files are whole or not there."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from conv4rec.atomic import write_atomically
from conv4rec.errors import SaveError


def test_the_file_is_written_with_its_folder(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a" / "b", lambda path: path.write_text("whole"))
    assert (tmp_path / "a" / "b").read_text() == "whole"
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b"]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "model"
    target.write_text("old")

    def fill(path: Path) -> None:
        path.write_text("half")
        with Path("/dev/full").open("w") as full:
            full.write("the other half")

    with pytest.raises(SaveError, match="model: cannot be written: No space left on device; nothing was left there"):
        write_atomically(target, fill)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"model": "old"}


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SaveError, match="cannot be written: (Not a directory|File exists)"):
        write_atomically(tmp_path / "file" / "model", lambda path: None)


def test_a_writer_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    def break_off(path: Path) -> None:
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "model", break_off)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_outgrows_the_disk_leaves_nothing(tmp_path: Path) -> None:
    """A real process with a limit on the size of files: what a full disk is to safetensors."""
    code = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from safetensors.numpy import save_file\n"
        "from conv4rec.atomic import write_atomically\n"
        "write_atomically(Path(sys.argv[1]), lambda p: save_file({'x': np.zeros(10**6)}, p))\n"
    )

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    done = subprocess.run(
        [sys.executable, "-B", "-c", code, str(tmp_path / "model")],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "SaveError" in done.stderr
    assert "File too large" in done.stderr
    assert list(tmp_path.iterdir()) == []
