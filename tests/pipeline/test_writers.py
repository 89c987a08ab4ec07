"""What writes for augmentation: Danlu's own engine, loaded once and late, and what the recipe names."""

from __future__ import annotations

import pytest

from danlu.inference.engines.fake import FakeEngine
from danlu.models.chat import ChatRenderer
from danlu.pipeline.writers import build_writers, engine_writer
from danlu.recipe.augmentation import AugmentSection
from danlu.recipe.errors import UserError

ASK = [{"role": "user", "content": "Say it in other words: the bank is closed today."}]


def test_an_engine_writes_for_every_conversation_and_is_loaded_once(renderer: ChatRenderer) -> None:
    loads = []

    def load() -> FakeEngine:
        loads.append(1)
        return FakeEngine(renderer, "<think>\nhm\n</think>\n\nToday the bank is shut.", max_batch=2)

    write = engine_writer(load)
    assert loads == []
    assert write([ASK, ASK, ASK], 0.8) == ["Today the bank is shut."] * 3
    assert write([ASK], 0.0) == ["Today the bank is shut."]
    assert write([], 0.8) == [] and len(loads) == 1


def test_a_text_that_is_cut_off_is_no_text(renderer: ChatRenderer) -> None:
    write = engine_writer(lambda: FakeEngine(renderer, "bank " * 600))
    assert write([ASK], 0.8) == [""]


def test_only_steps_that_need_a_model_have_a_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    local = {"type": "paraphrase", "writer": {"type": "local", "model": "seedling"}}
    here = {"type": "back_translation", "writer": {"type": "openai", "base_url": "http://127.0.0.1:1/v1", "model": "m"}}
    steps = AugmentSection.model_validate({"steps": [{"type": "synonyms"}, local, here]})
    assert sorted(build_writers(steps)) == [1, 2]
    away = {**here, "writer": {**here["writer"], "base_url": "https://api.example.com/v1"}}  # type: ignore[dict-item]
    with pytest.raises(UserError, match="OPENAI_API_KEY"):
        build_writers(AugmentSection.model_validate({"steps": [away]}))
