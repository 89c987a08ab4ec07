"""The base of every recipe section: frozen, closed to unknown keys, and without infinite numbers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of a recipe. Frozen once loaded; a key it does not know is an error, never ignored; numbers are finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)
