"""`curate mine`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

import curate
from curate.cli.options import dry_run_option, json_option, progress, show, workspace
from curate.config import Backend
from curate.errors import BadSettings

if TYPE_CHECKING:
    from curate.config import Split

LANGUAGES = [
    *("none", "arabic", "danish", "dutch", "english", "finnish", "french", "german", "greek", "hungarian"),
    *("italian", "norwegian", "portuguese", "romanian", "russian", "spanish", "swedish", "tamil", "turkish"),
]
POOLINGS = ["cls", "mean", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
RETRIEVERS = ["bm25", "dense", "hybrid"]
SPLITS = ["train", "dev", "test", "unlabeled"]


@click.command()
@click.option("--split", type=click.Choice(SPLITS), help="Split whose queries are mined [train].")
@click.option("--retriever", type=click.Choice(RETRIEVERS), help="Retriever that finds the candidates [bm25].")
@click.option("--encoder", metavar="MODEL", help="Dual-encoder: a folder or a hub name (dense, hybrid).")
@click.option("--depth", type=int, help="Candidates per query; for hybrid, from each source [100].")
@click.option(
    "--language",
    metavar="LANGUAGE",
    type=click.Choice(LANGUAGES),
    help="Language whose stemmer BM25 uses: english, german, ..., or none [by a look at the passages].",
)
@click.option("--index", metavar="FACTORY", help="`exact`, or a faiss factory string like IVF1024,Flat [exact].")
@click.option("--backend", type=click.Choice(get_args(Backend)), help="What computes the encoder [torch].")
@click.option(
    "--own-copies/--no-own-copies",
    default=None,
    help="Keep a passage that is the query itself, by id and text [no].",
)
@click.option("--pooling", type=click.Choice(POOLINGS), help="How token vectors become one [as in the model].")
@click.option("--query-prompt", metavar="TEXT", help="Text put before every query [as in the model].")
@click.option("--passage-prompt", metavar="TEXT", help="Text put before every passage [as in the model].")
@click.option("--normalize/--no-normalize", default=None, help="Scale vectors to length one [as in the model].")
@click.option("--truncate-dim", type=int, help="First dimensions of a vector that are kept [as in the model].")
@click.option("--query-max-length", type=int, help="Tokens of a query [as in the model].")
@click.option("--passage-max-length", type=int, help="Tokens of a passage [as in the model].")
@click.option(
    "--run",
    "run_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Run file to import instead of mining; - is standard input.",
)
@click.option("--name", help="With --run: the beginning of the run's id [trec].")
@click.option("--max-rejects", type=int, help="With --run: the number of bad lines that may be left out [0].")
@dry_run_option
@json_option
def mine(
    run_file: Path | None,
    split: "Split | None",
    name: str | None,
    max_rejects: int | None,
    own_copies: bool | None,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Find candidates: the top passages of a retriever for every query of a split.

    Labelled positives and their duplicates stay among the candidates, but never become negatives.

    \b
    Example:
      curate mine --retriever hybrid --encoder sentence-transformers/all-MiniLM-L6-v2
      curate mine --retriever dense --encoder models/my-encoder --index IVF1024,Flat
      curate mine --run bm25.trec --split train
    """
    _check(run_file, {"name": name, "max-rejects": max_rejects}, options, dry_run=dry_run)
    here = workspace()
    if dry_run:
        return show(curate.plan_mine(here, split=split, own_copies=own_copies, **options), as_json)
    with here.lock():
        if run_file:
            from curate.mine.import_run import import_run

            result = import_run(
                here,
                run_file,
                split=split,
                name=name,
                max_rejects=max_rejects or 0,
                own_copies=own_copies,
                progress=progress(),
            )
        else:
            result = curate.mine(here, split=split, own_copies=own_copies, progress=progress(), **options)
    return show(result, as_json)


def _check(run_file: Path | None, with_run: dict[str, Any], options: dict[str, Any], *, dry_run: bool) -> None:
    """Raise BadSettings for options that cannot be combined."""
    if not run_file:
        given = [f"--{option}" for option, value in with_run.items() if value is not None]
        if given:
            raise BadSettings(f"{given[0]} needs --run FILE")
        return
    given = [f"--{option.replace('_', '-')}" for option, value in options.items() if value is not None]
    given += ["--dry-run"] if dry_run else []
    if given:
        raise BadSettings(f"{given[0]} cannot be combined with --run: the file already holds the candidates")
