"""Recipe section `data.redact`: personal data, what becomes of each kind."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from danlu.recipe.section import Section

Kind = Literal[
    "CN_MOBILE",
    "CN_LANDLINE",
    "CN_ID",
    "BANK_CARD",
    "CN_USCC",
    "CN_PASSPORT",
    "CN_PLATE",
    "CN_ADDRESS",
    "CN_NAME",
    "EMAIL",
    "PHONE",
    "SSN",
    "IBAN",
    "CREDIT_CARD",
    "IP",
    "EN_NAME",
    "SECRET",
]
Policy = Literal["tag", "mask", "pseudonym", "drop_row", "keep"]


class RedactSection(Section):
    """Personal data out of every text of every row, before anything of the row is written to disk."""

    policy: Policy = Field(
        default="pseudonym",
        description="'tag': [CN_MOBILE]; 'mask': 138****5678; 'pseudonym': another value of the same form, the same "
        "for the same value everywhere; 'drop_row': the row goes; 'keep': only counted",
    )
    kinds: dict[Kind, Policy] = Field(default_factory=dict, description="policies of single kinds")
    min_confidence: float = Field(default=0.5, ge=0, le=1, description="spans below it are left alone")
    names: Literal["rules", "model", "off"] = Field(
        default="rules",
        description="'model' finds more Chinese names (`pip install 'danlu[names]'`); 'off' looks for none, "
        "which takes half the time",
    )
    key_file: str | None = Field(
        default=None,
        description="the secret key of pseudonyms; default: one made in the workspace, outside every artifact",
    )

    @model_validator(mode="after")
    def _names_are_looked_for(self) -> RedactSection:
        asked = sorted({"CN_NAME", "EN_NAME"} & self.kinds.keys())
        if self.names == "off" and asked:
            raise ValueError(
                f"with names: off nobody looks for {', '.join(asked)}; remove it from kinds, or names: off"
            )
        return self
