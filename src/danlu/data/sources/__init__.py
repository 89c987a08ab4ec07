"""Readers of source files: each yields a Record per row and loses none."""

from danlu.recipe.choices import Choices

SOURCES = Choices(
    "source",
    {
        "jsonl": "danlu.data.sources.jsonl:read_jsonl",
        "json": "danlu.data.sources.json_array:read_json",
        "csv": "danlu.data.sources.csv_table:read_csv",
        "parquet": "danlu.data.sources.parquet:read_parquet",
    },
)
