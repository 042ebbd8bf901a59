"""Settings of the service, declared once: `conv4rec serve`, its TOML file and `--set` share them."""

import ipaddress
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from conv4rec.config import Positive, Section, read_toml
from conv4rec.errors import ConfigError

Seconds = Annotated[float, Field(gt=0.0)]


class ServiceSettings(Section):
    """How a model is served."""

    models: tuple[Path, ...]
    """Model files, or folders of `*.conv4rec` files. A model is called by the name of its file without the suffix."""
    active: str | None = None
    """The model that answers at the start. None: the one that was switched to last, else the first."""
    store: str = "sqlite:///conv4rec.db"
    """URL of the database of feedback: `sqlite:///FILE` or `postgresql+psycopg://USER@HOST/NAME`."""
    keys: Path | None = None
    """TOML file of API keys (see `conv4rec key`). None: no keys, which is allowed on a loopback address only."""
    records: Path | None = None
    """Run folder of records (`conv4rec compare`, `conv4rec evaluate --run`), whose figures the page shows."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """Port to listen on; 0: one that is free."""
    device: str = "auto"
    """auto (CUDA where there is one), cpu, cuda or cuda:N."""
    threads: Positive | None = None
    """Cores that score a batch. None: half of them; the others parse requests, and threads that wait in turn cost."""
    body_bytes: Positive = 4_000_000
    """Largest body of a request, bytes; more answers 413."""
    users: Positive = 1000
    """Most users, histories, pairs or events in one request; more answers 422."""
    history: Positive = 10_000
    """Most interactions in a posted history; more answers 422."""
    list_length: Positive = 1000
    """Most items in a list (`k`); more answers 422."""
    rows: Positive = 100_000
    """Most rows in an answer, such as users times `k`; more answers 422."""
    requests_per_second: Annotated[float, Field(gt=0.0)] | None = 1000.0
    """Requests a second of one key (of one address, without keys), and as many at once; more answers 429. None: any."""
    queue: Positive = 1024
    """Requests that may wait for the model; more answers 503."""
    batch: Positive = 64
    """Most requests that are scored together."""
    timeout: Seconds = 30.0
    """Seconds after which a request that has no answer gets 503, and one whose body does not come 408."""
    switch_timeout: Seconds = 600.0
    """The same where a model is switched to, which is read and asked once before it answers."""
    store_timeout: Seconds = 5.0
    """Seconds to wait for a connection to the database, or for a lock in it."""


def load_settings(path: Path | None, overrides: Sequence[str], **given: Any) -> ServiceSettings:
    """The settings of a TOML file, then those `given` that are not None, then `name=value` overrides.

    Raises ConfigError for a file that cannot be read, and for a setting that does not exist or cannot have its value.
    """
    settings = {} if path is None else read_toml(path)
    settings |= {name: value for name, value in given.items() if value is not None}
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals:
            raise ConfigError(f"--set {override!r}: expected name=value, such as batch=16")
        settings[name.strip()] = _value(text)
    return make_settings(**settings)


def make_settings(**settings: Any) -> ServiceSettings:
    """Checked settings. Raises ConfigError naming the first that is wrong."""
    try:
        made = ServiceSettings.model_validate(settings)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise ConfigError(f"setting {where} of the service: {fault['msg']}") from None
    if made.keys is None and not is_loopback(made.host):
        raise ConfigError(f"host {made.host}: others can reach it, so keys are needed; give --keys, see `conv4rec key`")
    return made


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text.strip()
