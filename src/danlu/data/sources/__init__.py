"""Readers of sources: each gives a Record for every row and loses none."""

from danlu.recipe.choices import Choices

SOURCES = Choices(
    "source",
    {
        "jsonl": "danlu.data.sources.jsonl:JsonlReader",
        "json": "danlu.data.sources.json_array:JsonReader",
        "csv": "danlu.data.sources.csv_table:CsvReader",
        "parquet": "danlu.data.sources.parquet:ParquetReader",
        "text": "danlu.data.sources.text:TextReader",
        "huggingface": "danlu.data.sources.huggingface:HuggingFaceReader",
    },
)
