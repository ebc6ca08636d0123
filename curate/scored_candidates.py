"""Files of candidates beside their logits: a join made once, so that decisions take about half of the time.

Each file in `indexes/scored-candidates/` holds the candidates of one run with the logits of one scorer. Its name
is a digest of the shards that it was made from. So a file is found only while it says what the tables say, and
nothing has to notice that they changed. Nothing depends on the files: without one, a question joins the tables.
"""

import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from curate import sql_files
from curate.damage import contents
from curate.progress import Progress
from curate.shards import Lineage, Manifest, Shard, canonical, digest, write_whole
from curate.snapshot import ScoredFile, Snapshot

if TYPE_CHECKING:
    import duckdb

LOGGER = logging.getLogger("curate.scored_candidates")
VIEWS = frozenset({"scored_candidates", "scored_runs"})
FOLDER = "indexes/scored-candidates"
LEAST = 8 << 20
"""The bytes of a scorer's scores from which files are made: about a million scores, whose join takes 0.2 s."""
DAY = 86_400.0
"""The seconds for which a superseded file stays, because other processes may still read it."""


@dataclass(frozen=True)
class ScoredRun:
    """A run and a scorer of it, with the shards that their file is made from."""

    root: Path
    run_id: str
    scorer_id: str
    candidates: list[Shard]
    scores: list[Shard]

    @cached_property
    def lineage(self) -> Lineage:
        """The origin of the file. Equal origins give equal rows."""
        settings = {"scorer": self.scorer_id, "query": sql_files.code("score/scored_candidates")}
        inputs = {"candidates": _digest(self.candidates), "scores": _digest(self.scores)}
        return Lineage("scored-candidates", self.run_id, settings, inputs)

    @property
    def path(self) -> Path:
        """The path of the file."""
        name = digest(self.run_id, self.lineage.settings, self.lineage.inputs)[:16]
        return self.root / FOLDER / f"{name}.parquet"

    @property
    def file(self) -> ScoredFile | None:
        """The file, if it was made from these shards and has its size; its bytes are not read."""
        made = Manifest.read(self.path)
        known = (
            made and canonical(asdict(made.lineage)) == canonical(asdict(self.lineage)) and made.stands(self.path)
        )
        return ScoredFile(self.run_id, self.scorer_id, Shard(self.path, made.sha256)) if made and known else None

    @property
    def is_large(self) -> bool:
        """Whether there are so many scores that a file is worth its room."""
        return sum(shard.path.stat().st_size for shard in self.scores) >= LEAST

    def make(self, connection: "duckdb.DuckDBPyConnection") -> None:
        """Write the file. A request to stop does not wait for it, because nothing is lost without it."""
        for name, shards in (("candidate_shards", self.candidates), ("ledger_shards", self.scores)):
            connection.read_parquet([str(shard.path) for shard in shards]).create_view(name, replace=True)

        def write(path: Path) -> int:
            import pyarrow.parquet as pq

            sql_files.execute(
                connection, "score/scored_candidates", run=self.run_id, scorer=self.scorer_id, path=str(path)
            )
            return int(pq.read_metadata(path).num_rows)

        write_whole(self.path, write, self.lineage)


def scored_runs(now: Snapshot) -> Iterator[ScoredRun]:
    """Yield the runs that were scored by a scorer whose logits alone decide under some cutoffs, with the scorer.

    The records say which. No table is read, because this is asked before the tables are checked.
    """
    in_force = {record.settings.get("name"): record for record in now.records if record.stage == "cutoffs"}
    deciding = {record.settings.get("scorer_id") for record in in_force.values()}
    scorer_of = {record.job: record.facts["scorer_id"] for record in now.records if "scorer_id" in record.facts}
    runs = {(record.facts.get("run"), record.facts.get("scorer_id")) for record in now.records}
    for run, scorer in sorted((run, scorer) for run, scorer in runs if run and scorer and scorer in deciding):
        candidates = [shard for shard in now.shards("candidates") if shard.path.parent.name == run]
        # A shard whose job has no record yet may hold the scores of any scorer.
        scores = [
            shard for shard in now.shards("scores") if scorer_of.get(shard.path.parent.name, scorer) == scorer
        ]
        if candidates and scores:
            yield ScoredRun(now.root, run, scorer, candidates, scores)


def use(connection: "duckdb.DuckDBPyConnection", now: Snapshot) -> None:
    """Have the VIEWS read the files that there are; the bytes of the files are not read here."""
    with suppress(OSError):
        now.scored = [file for scored in scored_runs(now) if (file := scored.file)]
    _read(connection, now)


def check(connection: "duckdb.DuckDBPyConnection", now: Snapshot) -> None:
    """Have the VIEWS read only those of their files that have the bytes that were written."""
    whole = [file for file in now.scored if _is_whole(file)]
    if len(whole) < len(now.scored):
        LOGGER.warning("a file in %s is damaged or gone: the tables are read. Run: curate rebuild", FOLDER)
        now.scored = whole
        _read(connection, now)


def _is_whole(file: ScoredFile) -> bool:
    try:
        return not contents(file.shard)
    except OSError:
        return False


def _read(connection: "duckdb.DuckDBPyConnection", now: Snapshot) -> None:
    """Define the views by the files or, if one of them cannot be opened, without a row."""
    import duckdb

    try:
        if now.scored:
            paths = [str(file.shard.path) for file in now.scored]
            of = {"runs": [file.run_id for file in now.scored], "scorers": [file.scorer_id for file in now.scored]}
            connection.read_parquet(paths).create_view("scored_candidates", replace=True)
            connection.sql(sql_files.code("score/scored_runs"), params=of).create_view("scored_runs", replace=True)
            return
    except duckdb.Error as error:
        LOGGER.warning("the files in %s cannot be read, so the tables are: %s", FOLDER, error)
        now.scored = []
    for view in sorted(VIEWS):
        connection.execute(sql_files.text(f"views/{view}"))


def keep(connection: "duckdb.DuckDBPyConnection", now: Snapshot, progress: Progress, *, anew: bool) -> None:
    """Make the files that are missing, and delete what else lies in their folder and is a day old.

    anew: read the files that there are, and make the damaged ones again; delete what else lies there at once.
    """
    runs = [scored for scored in scored_runs(now) if scored.is_large]
    for scored in runs:
        file = scored.file
        if not file or (anew and not _is_whole(file)):
            progress.say(f"joining {scored.run_id} with the scores of {scored.scorer_id}, for later questions")
            scored.make(connection)
    _sweep(now.root / FOLDER, {scored.path for scored in runs}, 0.0 if anew else DAY)


def _sweep(folder: Path, kept: set[Path], seconds: float) -> None:
    """Delete what is neither a kept file nor its manifest, and has lain so for some seconds.

    A superseded file loses its manifest, and its age counts from then on.
    """
    for path in set(folder.glob("*.parquet")) - kept:
        manifest = Manifest.path(path)
        if manifest.exists():
            path.touch()
            manifest.unlink()
    wanted = kept | {Manifest.path(path) for path in kept}
    for path in set(folder.glob("*")) | set(folder.glob(".*")):
        if path not in wanted and time.time() - path.stat().st_mtime >= seconds:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _digest(shards: list[Shard]) -> str:
    return digest([[shard.path.name, shard.sha256] for shard in shards])
