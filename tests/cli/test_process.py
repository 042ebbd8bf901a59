"""The command line as a real process: it starts fast, and a run that was killed goes on."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from conv4rec.data.ratings import Ratings
from conv4rec.model_file import load_model

COMMAND = [sys.executable, "-m", "conv4rec"]


def test_help_names_every_command_and_loads_neither_torch_nor_polars() -> None:
    code = (
        "import sys\nfrom conv4rec.cli import main\nsys.argv = ['conv4rec', '--help']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "sys.exit('torch' in sys.modules or 'polars' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for command in ("train", "evaluate", "recommend", "predict", "data", "config", "doctor"):
        assert command in done.stdout


def test_version() -> None:
    done = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("conv4rec ")


def test_a_killed_run_goes_on_to_the_model_of_an_unbroken_one(tmp_path: Path, checkerboard: Ratings) -> None:
    checkerboard.frame.write_csv(tmp_path / "r.csv")
    checkpoint = tmp_path / "killed.checkpoint"

    def words(model: str) -> list[str]:
        small = ("train.epochs=120", "train.patience=120", "model.embedding_dim=8", "train.device=cpu")
        return [*COMMAND, "train", "--data", str(tmp_path / "r.csv"), "--model", str(tmp_path / model), "--json"] + [
            part for setting in small for part in ("--set", setting)
        ]

    subprocess.run(words("whole"), capture_output=True, check=True)
    process = subprocess.Popen(words("killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert checkpoint.exists()
    assert not (tmp_path / "killed").exists()

    resumed = subprocess.run([*words("killed"), "--resume"], capture_output=True, text=True, check=True)
    assert json.loads(resumed.stdout)["epochs"] == 120
    whole, killed = load_model(tmp_path / "whole"), load_model(tmp_path / "killed")
    assert whole.weights.keys() == killed.weights.keys()
    assert all((whole.weights[name] == killed.weights[name]).all() for name in whole.weights)
    assert whole.origin == killed.origin
    assert not checkpoint.exists()
