"""Training as it is watched in a terminal: the loss as a sparkline, speed, rate, memory, time left."""

from __future__ import annotations

import itertools
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from danlu.recipe.language import tr

BLOCKS = "▁▂▃▄▅▆▇█"
WIDEST_CURVE, NARROWEST_CURVE = 48, 8
MOST_POINTS = 1024  # of the curve; more would be drawn over and over for nothing
RECENT = 50  # steps that speed and time left are measured over
FIRST_PAUSE, LONGEST_PAUSE = 10.0, 300.0  # seconds between lines where the output is no terminal
SHARE_OF_RUN = 0.05

Clock = Callable[[], float]


class TrainingView:
    """What is known of the training that runs now; renders itself in one to three lines, whatever the width."""

    def __init__(self, total: int, done: int = 0, clock: Clock = time.monotonic) -> None:
        self.total, self.done = total, done
        self._clock = clock
        self._losses = Curve()
        self._times: deque[tuple[float, int]] = deque([(clock(), 0)], maxlen=RECENT + 1)
        self._last: dict[str, Any] = {}
        self._checks: list[float] = []

    def step(self, event: dict[str, Any]) -> None:
        """A step is done."""
        self.done, self.total, self._last = event["step"], event["total"], event
        self._losses.add(float(event["loss"]))
        self._times.append((self._clock(), event.get("tokens", 0)))
        if "validation_loss" in event:
            self._checks.append(float(event["validation_loss"]))

    @property
    def started(self) -> bool:
        """Whether a step was done since this process began."""
        return bool(self._last)

    @property
    def tokens_per_second(self) -> float:
        """Over the last steps, with what lies between them: validation, checkpoints."""
        seconds = self._times[-1][0] - self._times[0][0]
        return sum(tokens for _, tokens in list(self._times)[1:]) / seconds if seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Of training, by the pace of the last steps; None before there is a pace."""
        steps = len(self._times) - 1
        seconds = self._times[-1][0] - self._times[0][0]
        return seconds / steps * (self.total - self.done) if steps and seconds > 0 else None

    def facts(self) -> list[str]:
        """What there is to say besides the curve, the most important first."""
        last = self._last
        found = [
            f"{self.tokens_per_second:,.0f} tokens/s",
            tr(f"{clock_time(self.seconds_left)} left", f"剩余 {clock_time(self.seconds_left)}"),
            tr("rate ", "学习率 ") + f"{last.get('learning_rate', 0):.2e}",
        ]
        if last.get("memory"):
            found.append(tr("memory ", "内存 ") + f"{last['memory'] / 1e9:.2f} GB")
        return found

    def losses(self) -> list[str]:
        """The loss in figures: now, and on the validation rows (last and best)."""
        found = [tr("loss ", "损失 ") + f"{self._last['loss']:.3f}"]
        if self._checks:
            found.append(tr("validation ", "验证 ") + f"{self._checks[-1]:.3f}")
            best = min(self._checks)
            if best < self._checks[-1]:
                found.append(tr(f"best {best:.3f}", f"最佳 {best:.3f}"))
        return found

    def line(self) -> str:
        """Everything but the curve in one line, for a log."""
        return " · ".join([f"{self.done}/{self.total}", *self.losses(), *self.facts()])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self._last:
            return
        width = max(10, options.max_width - 2)
        losses = "  ".join(self.losses())
        room = min(WIDEST_CURVE, width - cell_len(losses) - 2)
        if room >= NARROWEST_CURVE:
            yield Text.assemble("  ", (sparkline(self._losses.points, room), "green"), "  ", losses)
            rest = self.facts()
        else:
            yield Text.assemble("  ", (sparkline(self._losses.points, min(WIDEST_CURVE, width)), "green"))
            rest = [*self.losses(), *self.facts()]
        for row in fitted(rest, width):
            yield Text("  " + row, no_wrap=True, overflow="crop")


class Curve:
    """Values of any number as at most `MOST_POINTS` means of equally many neighbours."""

    def __init__(self) -> None:
        self.points: list[float] = []
        self._per, self._sum, self._count = 1, 0.0, 0

    def add(self, value: float) -> None:
        """One more value; it shows once its point is full."""
        self._sum, self._count = self._sum + value, self._count + 1
        if self._count == self._per:
            self.points.append(self._sum / self._per)
            self._sum, self._count = 0.0, 0
        if len(self.points) == MOST_POINTS:
            pairs = zip(self.points[::2], self.points[1::2], strict=True)
            self.points = [(one + other) / 2 for one, other in pairs]
            self._per *= 2


class Pauses:
    """When the next line of a log is due: often at first, then seldom, so that a long run has a short log."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._began = self._last = clock()

    def due(self) -> bool:
        """Whether a line is due now."""
        now = self._clock()
        return now - self._last >= min(max(FIRST_PAUSE, SHARE_OF_RUN * (now - self._began)), LONGEST_PAUSE)

    def begin(self) -> None:
        """A line was printed: the next pause begins."""
        self._last = self._clock()


def sparkline(values: Sequence[float], width: int) -> str:
    """The values in at most `width` characters, each the mean of its share; the lowest is the lowest block.

    The scale leaves out what is far above nearly all (the first losses, a spike): that is drawn as a full block.
    """
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return ""
    width = min(width, len(known))
    edges = [index * len(known) // width for index in range(width + 1)]
    means = [sum(known[a:b]) / (b - a) for a, b in itertools.pairwise(edges)]
    # Of few points each counts
    low, high = min(means), sorted(means)[int(0.9 * (len(means) - 1)) if len(means) >= 8 else -1]
    if high <= low:
        return BLOCKS[0] * width
    steps = len(BLOCKS) - 1
    return "".join(BLOCKS[min(steps, round(steps * (mean - low) / (high - low)))] for mean in means)


def clock_time(seconds: float | None) -> str:
    """Seconds as '0:07', '12:30' or '3:05:00'; '–:––' when nobody knows."""
    if seconds is None or not math.isfinite(seconds):
        return "–:––"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def fitted(facts: Sequence[str], width: int, between: str = " · ") -> list[str]:
    """The facts in as few rows as fit the width, in their order."""
    rows: list[str] = []
    for fact in facts:
        if rows and cell_len(rows[-1]) + len(between) + cell_len(fact) <= width:
            rows[-1] += between + fact
        else:
            rows.append(fact)
    return rows
