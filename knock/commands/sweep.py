"""`knock sweep`: every combination of some options, trained and measured, in one table."""

from argparse import ArgumentParser, Namespace

from knock.arguments import folder, positive, up_to

HELP = "train every combination of some options: knock sweep gan --over lr=1e-4,1e-3,seed=0:3"
TAKES_MORE = True


def add_arguments(parser: ArgumentParser) -> None:
    """Which question, what differs, and where it is done; the rest are options of a run."""
    parser.epilog = (
        "It also takes the options of a run, for all of its runs: knock run QUESTION --help. "
        "--resume goes on with a sweep that was stopped or killed, and with another --over adds to "
        "it."
    )
    parser.add_argument("question", help="number or name")
    parser.add_argument(
        "--over",
        metavar="KEY=VALUE,…",
        help="what differs: norm=none,layer,seed=0:3 is six runs. A key is a constant, seed, lr, "
        "steps, batch_size, dataset, preset or framework, or one that --set takes",
    )
    parser.add_argument(
        "--framework", "-f", help="pytorch, tensorflow, keras or chainer (the first installed)"
    )
    parser.add_argument("--jobs", type=up_to(256), default=1, metavar="N", help="runs at once (1)")
    parser.add_argument(
        "--n", type=positive, metavar="N", help="pictures of each run that are measured (2000)"
    )
    parser.add_argument("--dask", metavar="ADDRESS", help="train on the workers of a Dask cluster")
    parser.add_argument(
        "--out",
        type=folder,
        metavar="FOLDER",
        help="where everything goes (default: runs/sweep_NAME)",
    )


def run(found: Namespace, rest: list[str]) -> int:
    """Train and measure what has not been; print the table."""
    from knock.questions import find
    from knock.training import grid, sweep

    return sweep.sweep(
        find(found.question),
        found.framework,
        grid.read(found.over) if found.over else None,
        found.out,
        rest,
        found.jobs,
        found.n,
        found.dask,
    )
