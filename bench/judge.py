"""What the figures say: medians and spread, whose losses agree, ratios, and whether the bars are reached."""

import math
import statistics
from dataclasses import dataclass

from bench.field import BASELINE, BFLOAT16, mode_of
from bench.measure import Entry
from bench.workload import Bars

Entries = dict[str, Entry]


@dataclass(frozen=True)
class Verdict:
    """One bar: what is compared with what, the ratio, and the bar, or None where there is none.

    The ratio is None where one of them is missing.
    """

    what: str
    against: str
    ratio: float | None
    bar: float | None

    @property
    def reached(self) -> bool:
        """Whether the ratio is at least the bar."""
        return self.bar is None or (self.ratio is not None and self.ratio >= self.bar)


def median(entry: Entry) -> float:
    """Seconds per step."""
    return statistics.median(entry.seconds)


def checked_losses(losses: list[float]) -> tuple[float, float, float]:
    """What is compared: the loss of the first step, of the tenth, and the mean of all.

    The last step's own loss would say less: an optimizer that divides by small numbers, such as Adam, makes roundings
    grow from step to step, until single losses differ by a hundredth between libraries that do the same work.
    """
    return losses[0], losses[min(9, len(losses) - 1)], statistics.fmean(losses)


def set_apart(entries: Entries) -> None:
    """Mark contenders whose losses differ from the middle of all: they did other work, and do not count."""
    checked = {key: checked_losses(entry.losses) for key, entry in entries.items() if entry.losses}
    middle = [statistics.median(values) for values in zip(*checked.values(), strict=True)]
    for key, losses in checked.items():
        for loss, expected, which in zip(losses, middle, ("first", "tenth", "mean"), strict=True):
            if not math.isclose(loss, expected, rel_tol=mode_of(key).tolerance) and not entries[key].problem:
                entries[
                    key
                ].problem = f"does other work: its {which} loss is {loss:.6g}, that of the others {expected:.6g}"


def counting(entries: Entries) -> Entries:
    """The contenders that have figures and did the same work."""
    return {key: entry for key, entry in entries.items() if entry.seconds and not entry.problem}


def best(entries: Entries, ours: bool) -> str | None:
    """The fastest contender of ours, or of all others, in its best mode."""
    mine = {key: median(entry) for key, entry in counting(entries).items() if key.startswith("pullback/") is ours}
    return min(mine, key=lambda key: mine[key], default=None)


def ratio(entries: Entries, ours: str | None, other: str | None) -> float | None:
    """How many times as fast the first is; None where one has no figures."""
    usable = counting(entries)
    if ours not in usable or other not in usable:
        return None
    return median(usable[other]) / median(usable[ours])


def verdicts(entries: Entries, bars: Bars) -> list[Verdict]:
    """The bars of a workload: per call, in an epoch, of the best mode; against products in bfloat16 where asked for."""
    our_best, peer = best(entries, ours=True), best(entries, ours=False)
    found = [
        Verdict("pullback/call", BASELINE, ratio(entries, "pullback/call", BASELINE), bars.call),
        Verdict("pullback/epoch", BASELINE, ratio(entries, "pullback/epoch", BASELINE), bars.epoch),
        Verdict(our_best or "pullback/epoch", peer or "a peer", ratio(entries, our_best, peer), bars.best),
    ]
    if bars.bfloat16 is not None:
        found.append(Verdict("pullback/call", BFLOAT16, ratio(entries, "pullback/call", BFLOAT16), bars.bfloat16))
    return found
