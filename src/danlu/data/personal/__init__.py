"""Personal data in Chinese and English texts: found, redacted, audited."""

from danlu.data.personal.engine import find, find_many
from danlu.data.personal.spans import Span

__all__ = ["Span", "find", "find_many"]
