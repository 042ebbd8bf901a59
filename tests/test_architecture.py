"""Imports point down: a part of the package knows only parts below it. docs/architecture.md draws the same list."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1] / "src" / "conv4rec"

LEVELS = {
    "errors": 0,
    "_version": 0,
    "config": 1,
    "ids": 1,
    "atomic": 1,
    "compiled": 1,
    "tensor_file": 2,
    "vocabulary": 2,
    "data": 3,
    "filters": 4,
    "predictions": 4,
    "recipes": 4,
    "slices": 4,
    "discovery": 5,
    "metrics": 5,
    "model": 5,
    "evaluation": 6,
    "timed_evaluation": 6,
    "baselines": 6,
    "checkpoint": 6,
    "model_file": 6,
    "insights": 6,
    "diversity": 6,
    "embeddings": 6,
    "ranking": 6,
    "tables": 6,
    "history": 6,
    "denoising": 6,
    "online": 6,
    "online_phase": 6,
    "blending": 7,
    "training": 7,
    "queries": 7,
    "records": 7,
    "compression": 8,
    "peers": 8,
    "progress": 8,
    "verbs": 8,
    "recommender": 9,
    "scale": 10,
    "theory": 10,
    "compare": 11,
    "client": 12,
    "report": 12,
    "service": 12,
    "cli": 13,
}


def parts_imported(path: Path) -> set[str]:
    """The top-level parts of conv4rec that a file imports, wherever in it."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    inside = [name.split(".")[1] for name in names if name.startswith("conv4rec.")]
    return {"_version" if name == "__version__" else name for name in inside}


def test_every_part_has_a_level() -> None:
    parts = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert parts - {"__init__", "__main__"} == set(LEVELS)


def test_imports_point_down() -> None:
    upward = []
    for path in sorted(ROOT.rglob("*.py")):
        part = path.relative_to(ROOT).with_suffix("").parts[0]
        if part in ("__init__", "__main__"):
            continue
        upward += [
            f"{path.name}: {part} -> {t}" for t in parts_imported(path) if t != part and LEVELS[t] >= LEVELS[part]
        ]
    assert upward == []


def test_the_command_line_starts_without_torch() -> None:
    code = "import sys, conv4rec.cli; sys.exit('torch' in sys.modules or 'polars' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
