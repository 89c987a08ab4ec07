"""What a value that cannot be taken is to be replaced by."""

from __future__ import annotations

import pytest

from danlu.recipe import UserError, parse_recipe


@pytest.mark.parametrize(
    ("override", "reason", "fix"),
    [
        ("data.split.test=0.99", r"validation 0\.05 \+ test 0\.99 is 1\.04", "lower one of them"),
        ("data.clean=[{type: replace, pattern: '(a'}]", "is no regular expression", "mend the pattern"),
        ("data.clean=[{type: length, min_words: 9, max_words: 3}]", "the least is more", "lower the least"),
    ],
)
def test_the_fix_says_what_to_give_instead(override: str, reason: str, fix: str) -> None:
    with pytest.raises(UserError, match=reason) as caught:
        parse_recipe("name: x\ndata:\n  sources: [{path: a.jsonl}]\n", [override])
    assert caught.value.fix.startswith(fix)
