"""What a language model is to beat: counting, in the time that the model was trained."""

from dataclasses import asdict, dataclass
from typing import Any

from pullback.models.ngram import NGramResult, each_order
from pullback.train.problem import Problem

_ENOUGH = 2  # orders that were no better: longer ones will not be, either


@dataclass(frozen=True)
class Baseline:
    """The n-gram that was best on the validation part, and the orders tried, each with the seconds until it was known.

    allowed: the seconds that the network was trained, after which no further order was begun.
    """

    best: NGramResult
    tried: tuple[NGramResult, ...]
    allowed: float

    def to_dict(self) -> dict[str, Any]:
        """The baseline as plain numbers, ready for JSON."""
        return asdict(self)


def count_beside(problem: Problem, seconds: float) -> Baseline:
    """Interpolated Kneser-Ney n-grams of the training part, of one order after another while there is time.

    At least one order is counted; it ends earlier when two orders in a row got no better on the validation part.
    """
    assert problem.texts is not None
    tried: list[NGramResult] = []
    best = 0
    for found in each_order(*problem.texts, problem.outputs):
        tried.append(found)
        if found.validation_bits < tried[best].validation_bits:
            best = len(tried) - 1
        if found.seconds >= seconds or len(tried) - 1 - best >= _ENOUGH:
            break
    return Baseline(tried[best], tuple(tried), seconds)
