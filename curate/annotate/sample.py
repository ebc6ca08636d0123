"""`curate annotate sample`: draws the pairs that people are to judge, so that they stand for all candidates.

Queries are drawn first, and then pairs among theirs, by hash of the ids. Pairs are drawn from strata: those of one
decision in one range of ranks. So few labels reach every part of the candidates, the rare ones too.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from curate import judges, sql_files
from curate.choose_run import chosen_run
from curate.counted import counted
from curate.cutoffs import cutoffs_in_force
from curate.errors import BadSettings, StepMissing, UnknownName
from curate.job_record import Record
from curate.jobs import Job, table_digest
from curate.nearest import nearest
from curate.options import given_options
from curate.suggest import curate_command
from curate.workspace import Workspace

if TYPE_CHECKING:
    import duckdb

NAME = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,100}")
TAKEN = ("sample", "page", "import", "judge", "estimate")
"""Words that mean something else after `curate annotate`."""
QUERIES, PAIRS = 100, 300
LEAST = 2  # labels of a stratum: fewer say nothing of how they differ
Row = dict[str, Any]


class SampleOptions(TypedDict, total=False):
    """The options of `draw_sample`. None means that the option is not given."""

    queries: int | None
    """How many queries are drawn; 100 by default."""
    pairs: int | None
    """How many pairs of theirs are drawn; 300 by default."""
    run: str | None
    """Id of the run; by default the current one over train."""
    cutoffs: str | None
    """The name of the cutoffs that decide; by default the current ones."""
    seed: int | None
    """Another seed draws another sample; by default the workspace's."""


@dataclass(frozen=True)
class Drawn:
    """A sample."""

    sample_id: str
    already: bool
    """Whether it was drawn before, so that nothing was done."""
    sample: Row
    """The other columns of its row in `samples`."""
    strata: list[Row]
    """Its rows in `sample_strata`."""

    def text(self) -> str:
        """Return the sample for a terminal."""
        about = self.sample
        lines = [
            f"sample {self.sample_id}{' (as it was)' if self.already else ''}: "
            f"{counted(about['drawn_pairs'], 'pairs')} of {counted(about['drawn_queries'], 'queries')}, from "
            f"{counted(about['pairs'], 'unlabelled candidates')} of {counted(about['queries'], 'queries')} in the "
            f"top {about['depth']} of run {about['run_id']}, by cutoffs '{about['cutoffs']}'",
            "  decision          ranks    candidates   drawn",
        ]
        lines += [
            f"  {row['decision']:<16}  {ranks(row):>7}  {row['pairs']:>10,}  {row['drawn']:>6,}"
            for row in self.strata
        ]
        page = curate_command("annotate", "page", self.sample_id, "-o", f"{self.sample_id}.html")
        return "\n".join([*lines, f"Next: {curate_command('annotate', self.sample_id)}, or {page}"])


def ranks(row: Mapping[str, Any]) -> str:
    """Return the range of ranks of a row: `6-20`, or `1` for a single one."""
    first, last = row["first_rank"], row["last_rank"]
    return f"{first}" if first == last else f"{first}-{last}"


def draw_sample(workspace: Workspace, name: str, **options: Unpack[SampleOptions]) -> Drawn:
    """Draw pairs for people to judge among the unlabelled candidates of a run, and write them as sample `name`.

    A sample never changes; drawing it again with the same options returns it. Each pair has the chance with which
    it was drawn (`inclusion`), so that `estimate` can say what the verdicts mean for all candidates. Raises
    BadSettings if there are fewer pairs asked for than twice the strata, or if the sample exists with other
    settings, and StepMissing if nothing was mined or scored.
    """
    request = _requested(workspace, name, options)
    job = Job(workspace, "sample", job_of(name), request, _inputs(workspace, request))
    before = workspace.record(job.name)
    # What was loaded since may change the candidates, but not a sample that was drawn before.
    if before and before.settings != request:
        raise BadSettings(
            f"sample '{name}' was drawn with other settings, and a sample never changes. Give another name"
        )
    if before is None:
        write_sample(job)
    return _drawn(workspace, name, already=before is not None)


def job_of(sample: str) -> str:
    """Return the name of the job that draws a sample."""
    return f"sample-{sample}"


def write_sample(job: Job) -> Record:
    """Draw the sample of a job from the tables as they are, write it, and return the job's record."""
    asked = job.settings
    about = {"name": asked["name"], "seed": asked["seed"], "queries": asked["queries"]}
    cutoffs = asked["cutoffs"]
    with job.workspace.connect_lazily() as connection:
        sql_files.execute(connection, "annotate/population", run=asked["run"], cutoffs=cutoffs["name"])
        sql_files.execute(connection, "annotate/drawn_queries", **about)
        (sizes,) = _rows(connection, "annotate/sizes")
        strata = _rows(connection, "annotate/strata")
        _refuse_too_few(asked, strata)
        given = shares([row["in_drawn_queries"] for row in strata], asked["pairs"])
        by_stratum = {row["stratum"]: drawn for row, drawn in zip(strata, given, strict=True)}
        drawn = {"strata": list(by_stratum), "shares": list(by_stratum.values())}
        pairs = sql_files.select(connection, "annotate/pairs", **about, **drawn).to_arrow_table()
    sample = {
        "sample_id": asked["name"],
        "run_id": asked["run"],
        "cutoffs": cutoffs["name"],
        "seed": asked["seed"],
    }
    decided = {key: cutoffs[key] for key in ("depth", "negative_below", "positive_above")}
    job.write_rows("samples", [{**sample, **decided, **sizes, "drawn_pairs": pairs.num_rows}])
    job.write_rows(
        "sample_strata",
        [{"sample_id": asked["name"], **row, "drawn": by_stratum[row["stratum"]]} for row in strata],
    )
    job.write("sample_pairs", 0, lambda: [pairs])
    return job.finish(pairs=pairs.num_rows)


def shares(sizes: Sequence[int], total: int) -> list[int]:
    """Return how many of `total` pairs each stratum gets, given how many it has.

    Shares grow with the root of the size (power allocation, Bankier 1988): in proportion to sizes, the rare
    decisions would get hardly any pair. Each stratum gets two, if it has them, and none more than it has.
    """
    given = [min(size, LEAST) for size in sizes]
    while sum(given) < min(total, sum(sizes)):
        room = [place for place, size in enumerate(sizes) if given[place] < size]
        given[max(room, key=lambda place: (sizes[place] ** 0.5 / (given[place] + 0.5), -place))] += 1
    return given


def known_sample(workspace: Workspace, name: str | None) -> Row:
    """Return the row of the sample `name`, or of the newest one; raises BadSettings if there is none."""
    rows = workspace.select("annotate/samples").to_dicts()
    if not rows:
        raise StepMissing("no sample of pairs to judge yet", run="curate annotate sample NAME")
    if name is None:
        return rows[0]
    found = [row for row in rows if row["sample_id"] == name]
    if not found:
        raise UnknownName(f"no sample '{name}': {nearest(name, [row['sample_id'] for row in rows])}")
    return found[0]


def _requested(workspace: Workspace, name: str, options: Mapping[str, Any]) -> Row:
    """Return the settings of a sample; raises BadSettings for one that cannot be meant."""
    given = given_options(SampleOptions, options)
    if not NAME.fullmatch(name) or name in TAKEN:
        raise BadSettings(
            f"'{name}' cannot name a sample. Give 1 to 100 letters (A to Z), digits, '.', '_' and '-', without a "
            f"dot at the beginning, and none of the words {', '.join(TAKEN)}"
        )
    for key in ("queries", "pairs"):
        if given.get(key, 2) < 2:
            raise BadSettings(f"{key} must be 2 or more, found {given[key]}")
    return {
        "name": name,
        "run": chosen_run(workspace, given.get("run")),
        "cutoffs": cutoffs_in_force(workspace, given.get("cutoffs")),
        "queries": given.get("queries", QUERIES),
        "pairs": given.get("pairs", PAIRS),
        "seed": given.get("seed", workspace.settings.seed),
    }


def _inputs(workspace: Workspace, request: Row) -> dict[str, str]:
    digests = {"candidates": table_digest(workspace, "candidates", of_jobs=[request["run"]])}
    return digests | {table: table_digest(workspace, table) for table in ("scores", "qrels", "annotations")}


def _refuse_too_few(asked: Mapping[str, Any], strata: list[Row]) -> None:
    if all(row["decision"] == "unscored" for row in strata):
        scorers = judges.in_words(asked["cutoffs"])
        raise StepMissing(
            f"no unlabelled candidate in the top {asked['cutoffs']['depth']} of run {asked['run']} has a score of "
            f"{scorers}, so that there is no decision to look at",
            run=curate_command("denoise", "--run", asked["run"], "--cutoffs", asked["cutoffs"]["name"]),
        )
    least = LEAST * sum(row["in_drawn_queries"] > 0 for row in strata)
    if asked["pairs"] < least:
        raise BadSettings(
            f"{asked['pairs']} pairs are too few for {len(strata)} strata (decisions by ranges of ranks): give "
            f"{least} or more"
        )


def _drawn(workspace: Workspace, name: str, *, already: bool) -> Drawn:
    sample = known_sample(workspace, name)
    strata = workspace.select("annotate/strata_of", sample=name).to_dicts()
    return Drawn(name, already, {key: value for key, value in sample.items() if key != "sample_id"}, strata)


def _rows(connection: "duckdb.DuckDBPyConnection", path: str) -> list[Row]:
    found: list[Row] = sql_files.select(connection, path).pl().to_dicts()
    return found
