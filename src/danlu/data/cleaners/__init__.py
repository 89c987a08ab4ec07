"""Cleaners: row by row (rows in, rows or Dropped out, one for one), or over all rows (features, then a verdict)."""

from danlu.recipe.choices import Choices

CLEANERS = Choices(
    "cleaner",
    {
        "normalize": "danlu.data.cleaners.normalize:Normalize",
        "html": "danlu.data.cleaners.html:Html",
        "replace": "danlu.data.cleaners.replace:Replace",
        "opencc": "danlu.data.cleaners.opencc:Opencc",
        "length": "danlu.data.cleaners.length:Length",
        "repetition": "danlu.data.cleaners.repetition:Repetition",
        "symbols": "danlu.data.cleaners.symbols:Symbols",
        "truncated": "danlu.data.cleaners.truncated:Truncated",
        "refusals": "danlu.data.cleaners.refusals:Refusals",
        "prompt_echo": "danlu.data.cleaners.prompt_echo:PromptEcho",
        "language": "danlu.data.cleaners.language:Language",
        "exact_duplicates": "danlu.data.cleaners.exact_duplicates:ExactDuplicates",
        "near_duplicates": "danlu.data.cleaners.near_duplicates:NearDuplicates",
        "semantic_duplicates": "danlu.data.cleaners.semantic_duplicates:SemanticDuplicates",
        "conflicts": "danlu.data.cleaners.conflicts:Conflicts",
        "label_errors": "danlu.data.cleaners.label_errors:LabelErrors",
    },
)

# Those that compare rows with each other: DatasetCleaner, not RowCleaner
OVER_ALL_ROWS = {"exact_duplicates", "near_duplicates", "semantic_duplicates", "conflicts", "label_errors"}
