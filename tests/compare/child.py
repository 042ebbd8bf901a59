"""A light process in the place of a worker, for tests of how processes are watched: `python -m tests.compare.child`."""

import json
import os
import signal
import subprocess
import sys
import threading


def say(**event: object) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def main(action: str) -> None:
    say(stage="loading")
    if action == "events":
        say(trial=0)
        say(tried=0, value=None, error="a trial that failed is not the end")
        say(stage="fitting")
    elif action == "dies":
        say(trial=7)
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "raises":
        sys.stderr.write("Traceback\n  somewhere\n\n")
        say(error="no figures")
        raise SystemExit(1)
    elif action == "leaves":
        sys.stderr.write("first\nlast words\n\n")
        raise SystemExit(3)
    elif action == "waits":
        say(stage="fitting", pid=os.getpid())
        threading.Event().wait()
    elif action == "waits with a child":
        inner = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"])
        say(stage="fitting", pid=inner.pid)
        threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1])
