"""`conv4rec doctor`: what this machine has."""

import importlib.metadata
import os
import platform
import re
from typing import Any

from rich.console import Console
from rich.table import Table

from conv4rec.cli import options
from conv4rec.cli.output import print_json

REQUIREMENT = re.compile(r"([\w.-]+)(?:\[[^]]*\])?.*?(?:extra == ['\"](\w+)['\"])?$")
"""A line of the package's metadata: the name that is needed, and the extra it is needed for."""


def doctor(as_json: options.Json = False) -> None:
    """Print versions, devices, threads, and where the data sets were found."""
    told = examine()
    if as_json:
        print_json(told)
        return
    table = Table("what", "found", box=None, pad_edge=False, show_header=False)
    for section, values in told.items():
        for name, value in values.items():
            table.add_row(f"{section} {name}", "not here" if value is None else str(value))
    Console().print(table)


def examine() -> dict[str, dict[str, Any]]:
    """Everything `doctor` prints."""
    import torch

    needed = _needed()
    devices = {f"cuda:{n}": torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())}
    return {
        "version": {"python": platform.python_version(), "conv4rec": _version("conv4rec")} | needed.pop(""),
        **{f"extra {extra}": versions for extra, versions in needed.items()},
        "machine": {"platform": platform.platform(), "cores": os.cpu_count()},
        "torch": {"threads": torch.get_num_threads(), "device": next(iter(devices), "cpu")} | devices,
        "data": _data(),
    }


def _needed() -> dict[str, dict[str, str | None]]:
    """Versions of what the package needs: of itself (under ""), then by extra; not those of its developers."""
    found: dict[str, dict[str, str | None]] = {"": {}}
    for line in importlib.metadata.requires("conv4rec") or ():
        match = REQUIREMENT.match(line)
        assert match is not None  # noqa: S101 - the pattern takes any name
        name, extra = match[1], match[2] or ""
        if extra != "dev":
            found.setdefault(extra, {})[name] = _version(name)
    return found


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _data() -> dict[str, str | None]:
    from conv4rec.data.named import NAMED_SETS, find

    found = {"CONV4REC_DATA": os.environ.get("CONV4REC_DATA")}
    for name in NAMED_SETS:
        folder = find(name)
        found[name] = "built in" if name == "simulated" else None if folder is None else str(folder)
    return found
