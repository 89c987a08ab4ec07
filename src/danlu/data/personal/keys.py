"""The secret key of pseudonyms: a file outside of every artifact, readable by its owner only."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from danlu.recipe.errors import UserError

KEY_BYTES = 32


def load_key(path: Path) -> bytes:
    """The key in a file of hexadecimal digits.

    Raises:
        UserError: no such file, or not at least 16 bytes in hexadecimal digits. The content is never quoted.
    """
    fix = f"a file of {2 * KEY_BYTES} hexadecimal digits, such as `openssl rand -hex {KEY_BYTES}` writes"
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
    except FileNotFoundError:
        raise UserError("no such key file", where=str(path), fix=fix) from None
    except OSError as error:
        raise UserError(f"cannot read the key: {error.strerror}", where=str(path), fix=fix) from None
    except ValueError:
        raise UserError("the key is not hexadecimal", where=str(path), fix=fix) from None
    if len(key) < 16:
        raise UserError(f"the key has {len(key)} bytes; fewer than 16 can be guessed", where=str(path), fix=fix)
    return key


def make_key(path: Path) -> bytes:
    """Write a new random key where there is none, and return the key that is there; an existing one stays.

    The file appears whole (written aside, flushed, linked) and with mode 0600, also when two processes race.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as opened:
            opened.write(secrets.token_hex(KEY_BYTES) + "\n")
            opened.flush()
            os.fsync(opened.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
    finally:
        aside.unlink()
    return load_key(path)
