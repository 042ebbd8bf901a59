"""What is freed is kept, and given back in the end."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, torch
from conv4rec.training.memory import kept_memory

def resident():
    with open("/proc/self/status", encoding="ascii") as told:
        return next(int(line.split()[1]) for line in told if line.startswith("VmRSS"))

def new_pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.zeros(1 << 24)  # 64 MiB, 16,384 pages
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

plain = sum(new_pages() for _ in range(12))
with kept_memory():
    print(plain, sum(new_pages() for _ in range(12)))
    kept = resident()
print(kept - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library has no such settings")
def test_pages_are_not_fetched_anew_and_given_back_in_the_end() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    plain, kept, returned = map(int, done.stdout.split())
    assert plain > 12 * 16_000
    assert kept < plain / 3
    assert returned > 60_000  # KiB
