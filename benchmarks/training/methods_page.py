"""The methods' figures as JSON, as a Markdown table, and drawn: one HTML file that loads nothing."""

from __future__ import annotations

import html
import json
import math
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from danlu.recipe.methods import MERGES

TITLES = {
    "head": "head alone",
    "full": "full",
    "freeze": "freeze (all but embeddings)",
    "hybrid": "hybrid (attention full, MLP LoRA)",
    "lora": "LoRA r16",
    "qlora": "QLoRA r16, nf4",
    "adapter": "adapter (Pfeiffer, width 64)",
    "ia3": "(IA)³",
    "prefix": "prefix tuning, 16",
    "prompt": "prompt tuning, 16",
}
RESAMPLES = 2000
Z = 1.959964
BAR, DOTS, HEIGHT = 92, 150, 22


@dataclass(frozen=True)
class Interval:
    """A figure and the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """What the table says of one method."""

    name: str
    trained: int
    share: float
    memory_mb: float
    speed: float
    saved: int
    accuracy: Interval
    macro_f1: Interval
    gain: Interval | None
    merges: bool | None
    rate: float


def wilson(right: int, rows: int) -> Interval:
    """A share with Wilson's score interval (1927)."""
    share = right / rows
    middle = (share + Z * Z / (2 * rows)) / (1 + Z * Z / rows)
    half = Z * math.sqrt(share * (1 - share) / rows + Z * Z / (4 * rows * rows)) / (1 + Z * Z / rows)
    return Interval(share, middle - half, middle + half)


def macro_f1(truth: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """Mean over both classes of 2 hits / (guesses + rows), along the last axis."""
    found = []
    for label in (0, 1):
        hits = ((truth == label) & (guess == label)).sum(-1)
        found.append(2 * hits / np.maximum(1, (truth == label).sum(-1) + (guess == label).sum(-1)))
    return np.mean(found, axis=0)


def bootstrap(predictions: list[list[int]]) -> Interval:
    """Macro-F1 with its percentile interval over resampled rows."""
    truth, guess = np.array(predictions).T
    drawn = np.random.default_rng(0).integers(0, len(truth), (RESAMPLES, len(truth)))
    low, high = np.quantile(macro_f1(truth[drawn], guess[drawn]), [0.025, 0.975])
    return Interval(float(macro_f1(truth, guess)), float(low), float(high))


def paired_gain(predictions: list[list[int]], others: list[list[int]]) -> Interval:
    """Accuracy over another's on the same rows, with its percentile interval over resampled rows.

    Both answer the same rows, so that what is hard for both is not in the interval.
    """
    found, given = (
        np.array([truth == guess for truth, guess in pairs], dtype=float) for pairs in (predictions, others)
    )
    if [truth for truth, _ in predictions] != [truth for truth, _ in others]:
        raise ValueError("the methods were not tested on the same rows")
    more = found - given
    drawn = np.random.default_rng(0).integers(0, len(more), (RESAMPLES, len(more)))
    low, high = np.quantile(more[drawn].mean(1), [0.025, 0.975])
    return Interval(float(more.mean()), float(low), float(high))


def lines_of(body: dict[str, Any]) -> list[Line]:
    """The table's lines, in the order of the cases."""
    found = []
    head = next((case["predictions"] for case in body["cases"] if case["name"] == "head"), None)
    for case in body["cases"]:
        pairs = case["predictions"]
        found.append(
            Line(
                case["name"],
                case["trained_parameters"],
                case["trained_parameters"] / case["parameters"],
                case["peak_mb"] - body["load"]["peak_mb"],
                statistics.mean(run["tokens_per_cpu_second"] for run in case["runs"]),
                case["saved_bytes"],
                wilson(sum(truth == guess for truth, guess in pairs), len(pairs)),
                bootstrap(pairs),
                None if head is None or case["name"] == "head" else paired_gain(pairs, head),
                None if case["name"] == "head" else case["name"] in MERGES,
                case["rate"],
            )
        )
    return found


def write_page(body: dict[str, Any], out: Path) -> None:
    """methods.json, methods.html and methods.md."""
    (out / "methods.json").write_text(json.dumps(body, indent=1), "utf-8")
    lines = lines_of(body)
    (out / "methods.md").write_text(markdown(lines, body), "utf-8")
    (out / "methods.html").write_text(page(lines, body), "utf-8")


def markdown(lines: list[Line], body: dict[str, Any]) -> str:
    """A table for the docs, and what it was measured on."""
    heads = (
        "method",
        "trained parameters",
        "peak memory over load, MB",
        "tokens per CPU second",
        "saved",
        "accuracy, 95 % interval",
        "macro-F1, 95 % interval",
        "accuracy over head alone, 95 % paired",
        "merges",
        "rate",
    )
    rows = [
        (
            TITLES[line.name],
            f"{line.trained:,} ({_percent(line.share)})",
            f"{line.memory_mb:.0f}",
            f"{line.speed:,.0f}",
            _size(line.saved),
            _interval(line.accuracy),
            _interval(line.macro_f1),
            "–" if line.gain is None else _interval(line.gain, "+"),
            _merges(line.merges),
            _rate(line),
        )
        for line in lines
    ]
    table = [" | ".join(row) for row in (heads, ["---"] * len(heads), *rows)]
    return "\n".join(f"| {row} |" for row in table) + "\n\n" + _measured_on(body) + "\n"


def _measured_on(body: dict[str, Any]) -> str:
    where, rows, case = body["environment"], body["load"]["rows"], body["cases"][0]
    return (
        f"{where['date']}, {where['cpu']}, one thread, fp32; torch {where['torch']}, transformers "
        f"{where['transformers']}, PEFT {where['peft']}. The seedling (8.4 M parameters), {rows['train']:,} training "
        f"rows once over ({case['steps']} steps, {case['tokens']:,} tokens), {rows['validation']} validation rows that "
        f"chose between two rates, {rows['final']} test rows; the head at {body['head_rate']:g} for all. Libraries, "
        f"rows and model alone peak at {body['load']['peak_mb']:.0f} MB. Accuracy: Wilson's interval; macro-F1: "
        f"bootstrap over rows; gain: bootstrap over rows of the difference."
    )


STYLE = """
body{margin:0;padding:28px 32px;background:#fff;color:#1d2025;font:14px/1.45 -apple-system,"Segoe UI",Roboto,
"Noto Sans","DejaVu Sans",sans-serif;width:1330px;box-sizing:border-box}
h1{font-size:21px;margin:0 0 4px;font-weight:650}p{margin:0 0 16px;color:#5a616b;max-width:1180px}
table{border-collapse:collapse;width:100%}th{font-weight:600;font-size:12px;color:#5a616b;text-align:left;
vertical-align:bottom;padding:0 12px 8px 0;border-bottom:1.5px solid #1d2025}
td{padding:5px 12px 5px 0;border-bottom:1px solid #e6e8eb;white-space:nowrap;vertical-align:middle}
td:first-child{font-weight:550}.n{font-variant-numeric:tabular-nums;font-size:12.5px}.s{color:#7a818b;font-size:11.5px}
svg{display:block}.best td{background:#fdf6ee}
footer{margin-top:14px;color:#5a616b;font-size:12px;max-width:1240px}
"""


def page(lines: list[Line], body: dict[str, Any]) -> str:
    """The drawn table."""
    scale, gains = _scale(lines), _gain_scale(lines)
    axis = f"axis {scale[0]:.2f} to {scale[1]:.2f}"
    heads = (
        "method",
        "trained parameters<br>(log scale)",
        "peak memory over<br>an untrained load",
        "tokens per CPU second<br>(more is better)",
        "saved<br>(log scale)",
        f"accuracy, 95&#8239;%<br>({axis})",
        f"over head alone, paired<br>95&#8239;% (axis {gains[0]:+.2f} to {gains[1]:+.2f})",
        "merges",
        "rate",
    )
    rows = "".join(_row(line, lines, scale, gains) for line in lines)
    title = "Nine fine-tuning methods on one task"
    said = (
        "Is a Chinese review good or bad? Same model, same rows in the same order, same head; default settings, "
        "the better of two rates on validation."
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"<h1>{title}</h1><p>{said}</p><table><thead><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr></thead>"
        f"<tbody>{rows}</tbody></table><footer>{html.escape(_measured_on(body))}</footer></html>\n"
    )


def _scale(lines: list[Line]) -> tuple[float, float]:
    """Lowest and highest accuracy that the dots' axis shows, in steps of five hundredths."""
    low, high = min(line.accuracy.low for line in lines), max(line.accuracy.high for line in lines)
    return math.floor(low * 20) / 20, math.ceil(high * 20) / 20


def _gain_scale(lines: list[Line]) -> tuple[float, float]:
    """The same for what a method gains; zero is on it."""
    gains = [line.gain for line in lines if line.gain is not None]
    low, high = min([0.0, *(gain.low for gain in gains)]), max([0.05, *(gain.high for gain in gains)])
    return math.floor(low * 20) / 20, math.ceil(high * 20) / 20


def _row(line: Line, lines: list[Line], scale: tuple[float, float], gains: tuple[float, float]) -> str:
    logs = [math.log10(other.trained) for other in lines]
    sizes = [math.log10(other.saved) for other in lines]
    cells = (
        html.escape(TITLES[line.name]),
        _bar(
            _log_share(math.log10(line.trained), logs), "#c4622d", f"{_count(line.trained)}", f"{_percent(line.share)}"
        ),
        _bar(line.memory_mb / max(o.memory_mb for o in lines), "#7a5ea8", f"{line.memory_mb:.0f} MB"),
        _bar(line.speed / max(o.speed for o in lines), "#3d7d5c", f"{line.speed:,.0f}"),
        _bar(_log_share(math.log10(line.saved), sizes), "#8a7a3a", _size(line.saved)),
        _dot(line.accuracy, scale, "#1f5f99"),
        "" if line.gain is None else _dot(line.gain, gains, "#1f5f99", "+"),
        f'<span class="n">{_merges(line.merges)}</span>',
        f'<span class="n">{_rate(line)}</span>',
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _log_share(value: float, values: list[float]) -> float:
    """Where a logarithm lies between one tenth of the lowest and the highest."""
    low, high = min(values) - 1, max(values)
    return (value - low) / (high - low)


def _bar(share: float, colour: str, text: str, small: str = "") -> str:
    width = max(1.5, BAR * max(0.0, share))
    return (
        f'<svg width="{BAR}" height="9" role="img" aria-label="{text}"><rect width="{BAR}" height="9" rx="2" '
        f'fill="#f0f1f3"/><rect width="{width:.1f}" height="9" rx="2" fill="{colour}"/></svg>'
        f'<span class="n">{text}</span>' + (f' <span class="s">{small}</span>' if small else "")
    )


def _dot(figure: Interval, scale: tuple[float, float], colour: str, sign: str = "") -> str:
    low, high = scale

    def x(value: float) -> float:
        return 4 + (DOTS - 8) * (value - low) / (high - low)

    steps = round((high - low) * 20)
    ticks = "".join(
        f'<line x1="{x(low + step / 20):.1f}" x2="{x(low + step / 20):.1f}" y1="0" y2="{HEIGHT - 8}" '
        f'stroke="{"#b9bec6" if round((low + step / 20) * 20) % 2 == 0 else "#e6e8eb"}"/>'
        for step in range(steps + 1)
    )
    y = (HEIGHT - 8) / 2
    text = f"{figure.value:{sign}.3f}"
    return (
        f'<svg width="{DOTS}" height="{HEIGHT - 8}" role="img" aria-label="{text}">{ticks}'
        f'<line x1="{x(figure.low):.1f}" x2="{x(figure.high):.1f}" y1="{y}" y2="{y}" stroke="{colour}" '
        f'stroke-width="3" stroke-opacity=".45"/><circle cx="{x(figure.value):.1f}" cy="{y}" r="4" fill="{colour}"/>'
        f'</svg><span class="n">{text}</span> <span class="s">{figure.low:{sign}.3f} to '
        f"{figure.high:{sign}.3f}</span>"
    )


def _count(value: int) -> str:
    return f"{value / 1e6:.2f} M" if value >= 1e6 else f"{value / 1e3:.1f} K" if value >= 1e4 else f"{value:,}"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share > 0.995 else f"{share:.1%}" if share >= 0.01 else f"{share:.3%}"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def _interval(figure: Interval, sign: str = "") -> str:
    return f"{figure.value:{sign}.3f} ({figure.low:{sign}.3f} to {figure.high:{sign}.3f})"


def _merges(merges: bool | None) -> str:
    return "–" if merges is None else "yes" if merges else "no"


def _rate(line: Line) -> str:
    return "–" if line.name == "head" else f"{line.rate:.0e}".replace("e-0", "e-")
