"""Recipe section `data.augment`: further training rows made from those that are there."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from danlu.recipe.section import Section


class OpenAIWriter(Section):
    """A model behind an OpenAI-compatible API."""

    type: Literal["openai"] = "openai"
    base_url: str = Field(description="such as http://127.0.0.1:8000/v1")
    model: str = Field(min_length=1)
    api_key_env: str = Field(
        default="OPENAI_API_KEY",
        min_length=1,
        description="environment variable that holds the key; a server on this machine or network may need none",
    )
    concurrency: int = Field(default=4, ge=1, le=256)
    timeout: float = Field(default=120, gt=0, description="seconds per request")
    retries: int = Field(default=5, ge=0, le=20, description="further tries where the server is busy or fails")
    max_tokens: int = Field(default=1024, ge=1, description="of a reply; one that is cut off gives no child")
    extra_body: dict[str, Any] = Field(
        default_factory=dict,
        description="sent with each request, such as {chat_template_kwargs: {enable_thinking: false}}",
    )

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        try:
            address = urlsplit(value)
            usable = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise ValueError("is no address such as http://127.0.0.1:8000/v1")
        if address.username or address.password:
            raise ValueError("holds a user or password: put the key into the variable that api_key_env names")
        return value


class LocalWriter(Section):
    """A model on this machine, through Danlu's own engine."""

    type: Literal["local"] = "local"
    model: str = Field(description="folder, hub id or registered model")


Writer = Annotated[OpenAIWriter | LocalWriter, Field(discriminator="type")]


class Augmenter(Section):
    """What every augmenter has."""

    children: int = Field(default=1, ge=1, le=10, description="children tried per training row")
    share: float = Field(default=1.0, gt=0, le=1, description="share of the training rows that get children")


class SynonymsAugmenter(Augmenter):
    """Words of the question replaced by synonyms, from tables that ship with Danlu (Chinese and English)."""

    type: Literal["synonyms"] = "synonyms"
    replaced: float = Field(default=0.15, gt=0, le=0.5, description="share of the words that have synonyms")


class ReorderAugmenter(Augmenter):
    """Sentences or paragraphs of the question in another order, where no numbering or cause depends on it."""

    type: Literal["reorder"] = "reorder"
    unit: Literal["sentence", "paragraph"] = "sentence"


class ParaphraseAugmenter(Augmenter):
    """The question in other words, written by a model."""

    type: Literal["paraphrase"] = "paraphrase"
    writer: Writer
    temperature: float = Field(default=0.8, ge=0, le=2)


class BackTranslationAugmenter(Augmenter):
    """The question translated into another language and back by a model."""

    type: Literal["back_translation"] = "back_translation"
    writer: Writer
    through: str = Field(default="auto", description="language in between; 'auto': English for Chinese and back")


AnyAugmenter = Annotated[
    SynonymsAugmenter | ReorderAugmenter | ParaphraseAugmenter | BackTranslationAugmenter,
    Field(discriminator="type"),
]


class AugmentSection(Section):
    """Children of training rows, made after the split; each is checked against its parent and booked."""

    steps: tuple[AnyAugmenter, ...] = ()
    balance: Literal["none", "label"] = Field(
        default="none", description="'label': children only for rows of rarer labels, until the classes are level"
    )
    max_similarity: float = Field(
        default=0.95, gt=0, le=1, description="Jaccard similarity to the parent from which a child is rejected"
    )
