"""Cleaners: rows in, rows or Dropped out, in order, one for one."""

from danlu.recipe.choices import Choices

CLEANERS = Choices(
    "cleaner",
    {
        "normalize": "danlu.data.cleaners.normalize:Normalize",
        "exact_duplicates": "danlu.data.cleaners.exact_duplicates:ExactDuplicates",
    },
)
