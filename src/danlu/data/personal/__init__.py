"""Personal data in Chinese and English texts: found, redacted, audited."""

from danlu.data.personal.engine import find
from danlu.data.personal.spans import Span

__all__ = ["Span", "find"]
