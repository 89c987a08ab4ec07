"""The table of metrics; each is imported when it is picked."""

from __future__ import annotations

from collections.abc import Iterable

from danlu.evaluation.metric import Metric, MetricStyle
from danlu.recipe import evaluate as recipe
from danlu.recipe.choices import Choices

METRICS = Choices(
    "metric",
    {
        "perplexity": "danlu.evaluation.metrics.perplexity:Perplexity",
        "bleu": "danlu.evaluation.metrics.bleu:Bleu",
        "rouge": "danlu.evaluation.metrics.rouge:Rouge",
        "exact_match": "danlu.evaluation.metrics.exact_match:ExactMatch",
    },
)


def build_metrics(configs: Iterable[recipe.Metric]) -> list[Metric]:
    """The metrics of a recipe section, in its order.

    Raises:
        UserError: one that is not in the table.
    """
    return [METRICS.load(config.type)(config) for config in configs]


def style_of(name: str) -> MetricStyle:
    """How a metric is named and printed; a name from elsewhere gets a plain style."""
    if name in METRICS:
        style: MetricStyle = METRICS.load(name).style
        return style
    return MetricStyle(name, name, name, higher_is_better=True, digits=3)
