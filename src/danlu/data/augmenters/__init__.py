"""Augmenters: a question in, another wording of it out, or the reason why there is none."""

from danlu.recipe.choices import Choices

AUGMENTERS = Choices(
    "augmenter",
    {
        "synonyms": "danlu.data.augmenters.synonyms:Synonyms",
        "reorder": "danlu.data.augmenters.reorder:Reorder",
        "paraphrase": "danlu.data.augmenters.paraphrase:Paraphrase",
        "back_translation": "danlu.data.augmenters.back_translation:BackTranslation",
    },
)
