"""Measures Pullback beside its peers: `make bench`, or with options `make bench BENCH="--quick --workloads W1,W2"`.

A full run writes results.json, the section of RESULTS.md, and results.png. A workload that was not measured keeps
the figures that it had. A run with --quick, or without some of the peers, writes nothing unless --write asks for it.
"""

import argparse
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.status import Status
from rich.table import Table

from bench import machine, report, results
from bench.field import PEERS, all_contenders
from bench.install_peers import ENVIRONMENT
from bench.judge import set_apart
from bench.measure import Measurement, Settings
from bench.picture import draw
from bench.quiet import QUIET
from bench.workload import load, modules

PEERS_HELP = f"of {', '.join(PEERS)}, or one of their modes; all by default"
HERE = Path(__file__).resolve().parent
WIDTH = 140  # where there is no terminal to ask
console = Console(width=None if sys.stdout.isatty() else WIDTH)


def chosen(given: str, known: list[str]) -> list[str]:
    """The names in a list with commas, in the order in which they are known; all of them where it is empty."""
    names = [name.strip() for name in given.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"there is no {', '.join(unknown)}; known are {', '.join(known)}")
    return [name for name in known if not names or name in names]


def chosen_contenders(given: str) -> list[str]:
    """The contenders that a list of peers (`torch`) and single contenders (`torch/eager`) names."""
    names = chosen(given, [*PEERS, *all_contenders()])
    return [key for key in all_contenders() if key in names or key.split("/")[0] in names]


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--workloads", default="", metavar="W1,W2", help=f"of {', '.join(modules())}; all by default")
    parser.add_argument("--peers", default="", metavar="pullback,torch/eager", help=PEERS_HELP)
    parser.add_argument("--rounds", type=int, default=7, help="per contender (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=0.5, help="of a round, about (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="3 rounds of 0.1 s, to see whether everything runs")
    parser.add_argument("--write", action="store_true", help="write the results of a partial run, too")
    parser.add_argument("--redraw", action="store_true", help="measure nothing: write section and picture anew")
    parser.add_argument("--environment", type=Path, default=ENVIRONMENT, help="where the peers are installed")
    return parser.parse_args(arguments)


def measure(name: str, settings: Settings, folder: Path, status: Status) -> results.Result:
    """One workload, with the machine as it is now."""
    described = machine.describe()
    rate = machine.product_rate() if load(name).WORKLOAD.product_flops else None
    measurement = Measurement(name, settings, folder, say=status.update if console.is_terminal else console.print)
    entries, others = measurement.run(), measurement.watch.share_of_others()
    set_apart(entries)
    return results.Result(name, described, settings.rounds, settings.seconds, entries, rate, others)


def show(result: results.Result) -> None:
    """The table of a workload and what stands below it."""
    work = result.workload
    table = Table(*report.HEAD, title=f"{work.name}: {work.title}", title_justify="left")
    for row in report.table_rows(result.entries):
        table.add_row(*row, style="bold" if row[0].startswith(PEERS["pullback"].title) else "")
    console.print(table)
    for line in report.lines_below(work, result.entries, result.product_rate):
        console.print(line, highlight=False)
    if result.others is not None and result.others > QUIET:
        console.print(f"!!! other programs took {result.others:.0%} of the processor: measure again", style="bold red")
    for key, entry in result.entries.items():
        if entry.problem:
            console.print(f"!!! {key} is not counted: {entry.problem}", style="bold red", highlight=False)


def write(found: dict[str, results.Result]) -> None:
    """Section and picture from all that is known by now."""
    document = HERE / "RESULTS.md"
    document.write_text(report.rewrite(document.read_text(encoding="utf-8"), report.section(found)), encoding="utf-8")
    draw(found, HERE / "results.png")


def main(arguments: list[str]) -> int:
    """Measure what is asked for, show it, and write it."""
    options = parse(arguments)
    names = chosen(options.workloads.upper(), list(modules()))
    rounds, seconds = (3, 0.1) if options.quick else (options.rounds, options.seconds)
    settings = Settings(chosen_contenders(options.peers), rounds, seconds, options.environment)
    keeps = options.write or not (options.quick or options.peers)
    found = results.read(HERE / "results.json")
    if not options.redraw:
        with TemporaryDirectory(prefix="bench") as folder, console.status("") as status:
            for name in names:
                result = measure(name, settings, Path(folder), status)
                show(result)
                if keeps:
                    found[name] = result
                    results.write(HERE / "results.json", found)
    if keeps:
        write(results.in_order(found))
    else:
        console.print(
            "A partial run: results.json, RESULTS.md and results.png stay as they were (--write changes that)."
        )
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # workers and folders are put away then, too
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("stopped; workloads that were finished are in results.json, where this run writes")
