"""`knock explore`: a trained latent space, or a generator, as a page for a browser."""

from argparse import ArgumentParser, Namespace

from knock.arguments import file, folder

HELP = "make an HTML page to walk through what was learnt: knock explore dcgan"


def add_arguments(parser: ArgumentParser) -> None:
    """Which run, with which pictures, and where the page goes."""
    parser.add_argument(
        "question",
        help="vae, or one that makes pictures from noise: dcgan, or 6; or a run's folder",
    )
    parser.add_argument(
        "run", nargs="?", type=file, help="a run's folder or a checkpoint (default: the newest run)"
    )
    parser.add_argument(
        "--out", type=file, metavar="FILE", help="where the page goes (default: RUN/explore.html)"
    )
    parser.add_argument(
        "--data",
        type=folder,
        metavar="FOLDER",
        help="for vae: a folder with the data set's files",
    )


def run(found: Namespace, rest: list[str]) -> int:
    """Write the page."""
    from knock.explore.write import write

    path = write(found.question, found.run, found.out, found.data)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB; open it in a browser")
    return 0
