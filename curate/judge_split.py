"""Which labelled queries a judge is trained on, which choose its weights, and which measure it.

A judge says little about itself on the queries that trained it. So some queries are held back from its training,
or several judges are trained, each without a part of the queries (a fold). The split is drawn by hash. Queries of
the same text stay together, and so do queries that share a positive.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from curate import sql_files
from curate.errors import BadSettings
from curate.jobs import Job
from curate.workspace import Workspace

if TYPE_CHECKING:
    import duckdb

FOLDS = 5
TOO_FEW = 10
"""With fewer labelled queries than this, nothing can be known of a judge, and none is held back."""
ENOUGH = 200
"""From this many labelled queries on, a fifth is held back by default. With fewer, there are FOLDS judges."""
SHARE = 5
"""One in this many queries is held back, and a group of connected queries is not larger than that."""
MOST_CHOOSING, MOST_MEASURING = 100, 200
FEWEST_HELD_BACK = 20
"""A single judge holds nothing back if that would be fewer queries: they could tell nothing."""


@dataclass(frozen=True)
class JudgeSplit:
    """The labelled queries of a run, by what they do for a judge. Queries are given by their keys."""

    folds: int
    """The number of judges; 1: a single one."""
    usable: int
    """The labelled queries from which groups can be made."""
    trained: list[int] = field(default_factory=list)
    """A single judge: the queries that it is trained on."""
    choosing: list[int] = field(default_factory=list)
    """A single judge: the queries that choose its weights. They are not trained on, and do not measure it."""
    measuring: list[int] = field(default_factory=list)
    """A single judge: the queries that measure it."""
    fold_of: dict[int, int] = field(default_factory=dict)
    """Several judges: query -> the judge (1, 2, ...) that is not trained on it, and scores it."""
    fold_of_text: dict[int, int] = field(default_factory=dict)
    """The same for the hash of a query's text."""
    by_start: frozenset[int] = frozenset()
    """The queries that the model has seen from which the training starts. They do not measure the judge."""

    def left_out(self, fold: int | None) -> list[int]:
        """Return the queries that a judge is not trained on."""
        return [*self.choosing, *self.measuring, *(key for key, of in self.fold_of.items() if of == fold)]

    def unseen(self) -> list[int]:
        """Return the queries that may measure the judge, or all judges together."""
        return [key for key in (*self.measuring, *self.fold_of) if key not in self.by_start]

    def rows(self, training: str, fold: int | None) -> Iterator[dict[str, Any]]:
        """Yield the rows of the table `judge_queries` for one judge, or for all judges together.

        fold: the number of one of several judges. It has seen all queries but those of its own fold.
        """
        for key in (*self.trained, *self.choosing, *(key for key in self.measuring if key in self.by_start)):
            yield {"training": training, "query_key": key, "fold": None}
        for key, of in self.fold_of.items():
            seen = key in self.by_start
            if fold is None or of != fold or seen:
                yield {"training": training, "query_key": key, "fold": of if fold is None and not seen else None}


def split_queries(
    workspace: Workspace, run_id: str, seed: int, folds: int | None, start: str | None = None
) -> JudgeSplit:
    """Return the split of the labelled queries of a run, a function of the seed, the ids and the labels.

    folds: the number of judges; None: as many as the number of queries asks for. start: the job that trained the
    model from which the judges start, if that was trained here. Raises BadSettings if there are
    fewer groups of connected queries than folds, or no query that can be trained on.
    """
    with workspace.connect_lazily() as connection:
        usable, _ = open_queries(connection, run_id, seed)
        links = sql_files.select(connection, "train/query_links", seed=seed).fetchall()
        seen = sql_files.select(connection, "train/seen_by_start", start=start).fetchall() if start else []
    groups = connected(links)
    if folds is None:
        folds = FOLDS if TOO_FEW <= usable < ENOUGH and len(groups) >= FOLDS else 1
    if folds > len(groups):
        raise BadSettings(
            f"--folds {folds} needs as many labelled queries that share neither a text nor a positive; there are "
            f"{len(groups)}. Use fewer folds"
        )
    by_start = frozenset(key for (key,) in seen)
    if folds == 1:
        return replace(_held_back(groups, usable), by_start=by_start)
    fold_of = _in_folds(groups, folds)
    of_text = {text: fold_of[query] for query, is_own, text in links if is_own}
    return JudgeSplit(folds, usable, fold_of=fold_of, fold_of_text=of_text, by_start=by_start)


def open_queries(
    connection: "duckdb.DuckDBPyConnection",
    run_id: str,
    seed: int,
    left_out: Sequence[int] = (),
    earlier: str | None = None,
) -> tuple[int, int]:
    """Define `train_queries` without those `left_out`; return how many can form groups, and how many cannot.

    earlier: the cutoffs of an earlier judge, whose false negatives are no negatives. Raises BadSettings if no
    query can form groups.
    """
    import pyarrow as pa

    connection.register("not_trained_on", pa.table({"query_key": pa.array(left_out, pa.int32())}))
    if earlier is None:
        sql_files.execute(connection, "train/no_earlier_verdicts")
    else:
        sql_files.execute(connection, "train/earlier_verdicts", run=run_id, leave_out=earlier)
    sql_files.execute(connection, "train/negatives")
    sql_files.execute(connection, "train/queries", run=run_id, seed=seed)
    [(queries, skipped)] = sql_files.select(connection, "train/query_counts").fetchall()
    if not queries:
        why = (
            f"{skipped} have no candidate that could be a negative" if skipped else "none has a labelled positive"
        )
        raise BadSettings(
            f"nothing to train on in run {run_id}: among its queries in the split train, {why}. "
            "Load qrels for the split train, or run: curate mine --split train --depth 100"
        )
    return int(queries), int(skipped)


def write_judge_queries(job: Job, split: JudgeSplit, fold: int | None) -> None:
    """Write which queries the judge of a training has seen."""
    job.write_rows("judge_queries", list(split.rows(job.name, fold)))


def record_again(workspace: Workspace, job: Job, facts: dict[str, Any]) -> None:
    """Write the rows of a training once more, in the workspace as it was then, and its record."""
    settings = job.settings
    split = split_queries(
        workspace, settings["run"], settings["seed"], settings["folds"], settings.get("start_trained_by")
    )
    write_judge_queries(job, split, settings.get("fold"))
    job.finish(**facts)


def connected(links: Iterable[tuple[int, bool, int]]) -> list[list[int]]:
    """Return the groups of connected queries, in the order in which `links` names their first queries.

    links: (query, whether the text is its own, hash of the text). Where sharing positives connects more than one
    in SHARE of the queries, only equal texts do: otherwise many positives would make one group of everything.
    """
    links = list(links)
    by_text = _components((query, text) for query, is_own, text in links if is_own)
    by_both = _components((query, (is_own, text)) for query, is_own, text in links)
    sizes = Counter(by_both.values())
    most = max(1, len(by_text) // SHARE)
    groups: dict[tuple[bool, int], list[int]] = {}
    for query, of_text in by_text.items():
        whole = sizes[by_both[query]] <= most
        groups.setdefault((whole, by_both[query] if whole else of_text), []).append(query)
    return list(groups.values())


def _components(links: Iterable[tuple[int, Any]]) -> dict[int, int]:
    """Return query -> the first query of all that it is connected with, through whatever both are linked to."""
    parent: dict[int, int] = {}
    first_with: dict[Any, int] = {}

    def root(query: int) -> int:
        while parent[query] != query:
            parent[query] = parent[parent[query]]
            query = parent[query]
        return query

    for query, linked in links:
        parent.setdefault(query, query)
        other = first_with.setdefault(linked, query)
        parent[root(query)] = root(other)
    return {query: root(query) for query in parent}


def _in_folds(groups: list[list[int]], folds: int) -> dict[int, int]:
    """Put each group, the largest first, into the fold with the fewest queries."""
    members: list[list[int]] = [[] for _ in range(folds)]
    for group in sorted(groups, key=len, reverse=True):
        min(members, key=len).extend(group)
    return {query: number for number, fold in enumerate(members, 1) for query in fold}


def _held_back(groups: list[list[int]], usable: int) -> JudgeSplit:
    """Hold back a fifth of the queries, of which two thirds measure and one third chooses the weights."""
    room = min(usable // SHARE, MOST_CHOOSING + MOST_MEASURING)
    room = room if room >= FEWEST_HELD_BACK else 0
    split = JudgeSplit(1, usable)
    for group in groups:
        if len(split.measuring) + len(group) <= room - room // 3:
            split.measuring.extend(group)
        elif len(split.choosing) + len(group) <= room // 3:
            split.choosing.extend(group)
        else:
            split.trained.extend(group)
    return split
