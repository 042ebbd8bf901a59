"""What the process of a job tells the one that started it: a JSON object a line."""

import json
import os
import sys
from dataclasses import dataclass
from typing import IO, Any

Event = dict[str, Any]
"""`stage`: what begins now; `trial`: the number of a trial that begins; `tried`: a trial that ended; `error`: why the
job has no figures."""


@dataclass(frozen=True)
class Events:
    """The channel of events."""

    channel: IO[str]

    @classmethod
    def take_standard_output(cls) -> "Events":
        """Keep standard output for events, and send what others print there to standard error."""
        sys.stdout.flush()
        channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        return cls(channel)

    def tell(self, **event: Any) -> None:
        """Send one event at once."""
        self.channel.write(json.dumps(event) + "\n")
        self.channel.flush()


def in_one_line(error: BaseException) -> str:
    """The text of an error for a row of a table; its kind too, where it is none of ours."""
    from conv4rec.errors import Conv4RecError

    text = " ".join(str(error).split())
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, MemoryError):
        return f"out of memory: {text}" if text else "out of memory"
    if isinstance(error, Conv4RecError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
