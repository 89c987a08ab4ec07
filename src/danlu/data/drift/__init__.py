"""How training rows differ from a sample of production, and how to take the difference out."""

from danlu.data.drift.balance import Balance, Subgroup, balance
from danlu.data.drift.comparison import compare
from danlu.data.drift.matching import Matching, match
from danlu.data.drift.report import Dimension, DriftReport, Measure

__all__ = ["Balance", "Dimension", "DriftReport", "Matching", "Measure", "Subgroup", "balance", "compare", "match"]
