"""Records PyTorch's answers to the oracle rows of the contract tests into tests/fixtures/.

Run it (`make fixtures`) after adding or changing a row, with PyTorch installed. Without arguments every family is
recorded; with arguments those named, such as `ops` for tests/contracts/rows_ops.py. A file whose answers did not
change keeps its bytes.
"""

import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main(names: list[str]) -> int:
    """Records the families named, or all."""
    sys.path.insert(0, str(ROOT))
    from pullback.base.atomic import atomic_write
    from tests.contracts import oracle

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what PyTorch warns of is not ours to mend
        import torch

        torch.set_num_threads(1)
        version = torch.__version__.partition("+")[0]
        unknown = set(names) - set(oracle.families())
        if unknown:
            known = ", ".join(oracle.families())
            print(f"no rows for {', '.join(sorted(unknown))}; there are {known}", file=sys.stderr)
            return 2
        for family in names or oracle.families():
            content = oracle.record(family, torch, version)
            with atomic_write(oracle.FIXTURES / f"{family}.npz") as file:
                file.write(content)
            print(f"{family}: {len(oracle.rows_of(family))} rows, {len(content):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
