"""Key files: made once, private, never overwritten, never quoted."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from danlu.data.personal.keys import load_key, make_key
from danlu.recipe.errors import UserError


def test_a_key_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "redact.key"
    key = make_key(path)
    assert len(key) == 32 and load_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert make_key(path) == key
    assert [p.name for p in path.parent.iterdir()] == ["redact.key"]
    assert make_key(tmp_path / "other.key") != key


@pytest.mark.parametrize(
    ("content", "reason"), [("zz-secret-words", "not hexadecimal"), ("abcd", "has 2 bytes"), ("", "has 0 bytes")]
)
def test_a_bad_key_is_refused_without_quoting_it(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "k"
    path.write_text(content)
    with pytest.raises(UserError, match=reason) as caught:
        load_key(path)
    assert not content or content not in str(caught.value)
    with pytest.raises(UserError):
        make_key(path)
    assert path.read_text() == content


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such key file"):
        load_key(tmp_path / "none")
