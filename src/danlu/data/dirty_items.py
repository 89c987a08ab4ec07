"""What a contaminated evaluation set is said to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from danlu.recipe.language import tr


@dataclass(frozen=True)
class Dirty:
    """The evaluation items that training rows repeat.

    Attributes:
        sizes: number of items of each set.
        items: ids of the dirty ones of each set, in the set's order.
    """

    sizes: Mapping[str, int]
    items: Mapping[str, Sequence[str]]

    def as_dict(self, *, dropped: bool = False) -> dict[str, Any]:
        """Plain data for the report: counts, share, the first twenty ids and a sentence per set.

        Args:
            dropped: whether the training rows that repeat items were left out.
        """
        return {
            name: {
                "items": size,
                "dirty": len(self.items[name]),
                "share": len(self.items[name]) / size if size else 0.0,
                "examples": list(self.items[name][:20]),
                "sentence": self.sentence(name, dropped=dropped),
            }
            for name, size in self.sizes.items()
        }

    def sentence(self, name: str, *, dropped: bool = False) -> str:
        """What a score on this set must be read with, in the user's language."""
        size, dirty = self.sizes[name], len(self.items[name])
        if not dirty:
            return tr(
                f"None of the {size} items of {name} stands in the training rows.",
                f"{name} 的 {size} 条评测样本均未出现在训练数据中。",
            )
        share = f"{dirty / size:.1%}"
        english = f"{dirty} of the {size} items of {name} ({share})"
        chinese = f"{name} 的 {size} 条评测样本中有 {dirty} 条（{share}）"
        if dropped:
            return tr(
                f"{english} stood in rows that were therefore left out of training.",
                f"{chinese}出现在训练数据中，相应的训练行已剔除。",
            )
        return tr(
            f"{english} stand in the training rows: scores on this set are too good.",
            f"{chinese}出现在训练数据中：该评测集上的得分偏高。",
        )
