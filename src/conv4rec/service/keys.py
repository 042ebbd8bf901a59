"""API keys: who may do what. A file holds their hashes only, so that it gives away no key."""

import hashlib
import secrets
import tomllib
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from conv4rec.errors import ConfigError


class Role(IntEnum):
    """What a key may do; a higher role may do all that a lower one may."""

    READ = 1
    """Ask the model."""
    WRITE = 2
    """And append feedback, and record what was shown."""
    ADMIN = 3
    """And erase users, and switch models."""


RoleName = Literal["read", "write", "admin"]


class _Key(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    role: RoleName
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    key: Annotated[tuple[_Key, ...], Field(min_length=1)]


@dataclass(frozen=True)
class Caller:
    """Who asks: the name of the key, for logs, and its role."""

    name: str
    role: Role


NOBODY = Caller("-", Role.ADMIN)
"""The caller where keys are off: this machine, which may do everything."""


@dataclass(frozen=True)
class KeyRing:
    """The callers by the hash of their key."""

    callers: dict[str, Caller]

    def find(self, key: str) -> Caller | None:
        """The caller with this key, None for a key that is not one.

        The key is looked up by its SHA-256: how long that takes tells nothing of the keys that exist, and a hash that
        is made slow on purpose would guard only short secrets, which `new_key` does not make.
        """
        return self.callers.get(_sha256(key))


def new_key(name: str, role: str) -> tuple[str, str]:
    """A key of 256 random bits, to be told once, and its entry for the file of keys.

    Raises ConfigError for another role than read, write and admin, and for a name of other letters than
    `A-Za-z0-9._-`.
    """
    key = f"c4r_{secrets.token_urlsafe(32)}"
    try:
        entry = _Key.model_validate({"name": name, "role": role, "sha256": _sha256(key)})
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise ConfigError(f"key {name!r}, {fault['loc'][0]}: {fault['msg']}") from None
    return key, f'[[key]]\nname = "{entry.name}"\nrole = "{entry.role}"\nsha256 = "{entry.sha256}"\n'


def load_keys(path: Path) -> KeyRing:
    """Read a file of keys. Raises ConfigError for one that cannot be read, or holds anything but keys."""
    try:
        keys = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).key
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file: {error}") from None
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        raise ConfigError(f"{path}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}") from None
    callers = {key.sha256: Caller(key.name, Role[key.role.upper()]) for key in keys}
    if len(callers) < len(keys):
        raise ConfigError(f"{path}: a key occurs twice; expected every sha256 once")
    return KeyRing(callers)


def _sha256(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
