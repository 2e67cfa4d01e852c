"""Store and load profiles: which gateway to call, with which key, and where jobs run.

They are kept in ``$XDG_CONFIG_HOME/vbatch/config.json`` (by default in ``~/.config``), which only its owner
may read.
"""

import os
import tempfile
from pathlib import Path

import msgspec

from gateway_cli.errors import UsageError

DEFAULT = "default"
_OWNER_ONLY = 0o600
_OTHERS = 0o077


class Profile(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The settings that a login stores.

    Attributes:
        url: Base URL of the gateway.
        key: The secret.
        project: Id of the project in which jobs run, if one was chosen; always together with ``location``.
        location: Their location.
        output_prefix: ``gs://`` prefix under which jobs write; None: where the gateway says.
    """

    url: str
    key: str
    project: str | None = None
    location: str | None = None
    output_prefix: str | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    profiles: dict[str, Profile] = {}


def path() -> Path:
    """Return the path of the configuration file (XDG Base Directory Specification)."""
    given = os.environ.get("XDG_CONFIG_HOME", "")
    # The specification has relative paths ignored.
    base = Path(given) if given.startswith("/") else Path.home() / ".config"
    return base / "vbatch" / "config.json"


def load(name: str | None) -> Profile | None:
    """Return a profile; without a name, the default one, or None if there is none.

    Raises:
        UsageError: There is no profile of the name, or the file is invalid or readable by others.
    """
    profiles = _read().profiles
    if name is not None and name not in profiles:
        known = ", ".join(sorted(profiles)) or "none"
        raise UsageError(
            f"There is no profile {name!r} (there are: {known}). Make it with `vbatch login --profile "
            f"{name}`."
        )
    return profiles.get(name or DEFAULT)


def save(name: str, profile: Profile) -> Path:
    """Store a profile, and return the path of the file.

    Raises:
        UsageError: The file is invalid, or cannot be written.
    """
    content = _read()
    content.profiles[name] = profile
    target = path()
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp makes files that only their owner may read; a rename never shows half of one.
        handle, part = tempfile.mkstemp(prefix=".config.", dir=target.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
        Path(part).replace(target)
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}") from error
    return target


def _read() -> _File:
    file = path()
    try:
        mode = file.stat().st_mode
        content = file.read_bytes()
    except FileNotFoundError:
        return _File()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    if mode & _OTHERS:
        raise UsageError(f"{file} holds keys, and others may read it. Run: chmod {_OWNER_ONLY:o} {file}")
    try:
        return msgspec.json.decode(content, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not valid: {error}. Correct or delete it, and log in again.") from error
