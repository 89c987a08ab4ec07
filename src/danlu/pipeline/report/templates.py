"""The templates, style and script of the reports, and how a moment is written on them."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from danlu.recipe.language import tr

FOLDER = Path(__file__).parent / "template"


@cache
def environment() -> jinja2.Environment:
    """Templates that escape what they are given and refuse names they are not given."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals.update(
        tr=tr,
        style=Markup((FOLDER / "style.css").read_text(encoding="utf-8")),  # ours, not data: may go in unescaped
        script=Markup((FOLDER / "report.js").read_text(encoding="utf-8")),
    )
    return found


def moment(created: str) -> str:
    """An ISO 8601 moment as people write it; anything else stays as it is."""
    try:
        parsed = datetime.fromisoformat(created)
    except ValueError:
        return created
    zone = " UTC" if parsed.utcoffset() is not None and not parsed.utcoffset() else ""
    return parsed.strftime("%Y-%m-%d %H:%M") + zone
