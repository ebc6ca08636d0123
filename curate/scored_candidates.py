"""Files of candidates beside their logits: a join made once, so that decisions take a third of the time.

Each file in `indexes/scored-candidates/` holds the candidates of one job with the logits of one scorer. Its name
is a digest of the shards that it was made from. So a file is found only while it says what the tables say, and
nothing has to notice that they changed. Nothing depends on the files: without them, a question joins the tables.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from curate import sql_files
from curate.shards import Lineage, Manifest, Shard, digest, done, publish

if TYPE_CHECKING:
    import duckdb

FOLDER = "indexes/scored-candidates"
LEAST = 8 << 20
"""The bytes of scores from which files are kept. These are about a million scores, whose join takes 0.2 s."""


@dataclass(frozen=True)
class ScoredCandidates:
    """The files for the shards of candidates and scores that count, below the workspace's folder `root`."""

    root: Path
    candidates: list[Shard]
    scores: list[Shard]

    @property
    def pay(self) -> bool:
        """Whether there are so many scores that files are worth their room."""
        return sum(shard.path.stat().st_size for shard in self.scores) >= LEAST

    def found(self, connection: "duckdb.DuckDBPyConnection") -> list[Path]:
        """Return the files, or no file if one of them is missing or damaged. `connection` has the cutoffs."""
        wanted = list(self._wanted(connection)) if self.pay else []
        whole = all(done(path, lineage) for path, lineage, _ in wanted)
        return [path for path, _, _ in wanted] if whole else []

    def keep(self, connection: "duckdb.DuckDBPyConnection") -> None:
        """Make the files that are missing, and delete those that were superseded before the last call.

        A file that is superseded now only loses its manifest, because other processes may still read it.
        """
        sql_files.prepare(connection, "cutoffs")
        kept = set()
        for path, lineage, shards in self._wanted(connection):
            kept.add(path)
            if not done(path, lineage):
                connection.read_parquet([str(shard.path) for shard in shards]).create_view(
                    "candidate_shards", replace=True
                )
                publish(path, partial(_write, connection, lineage), lineage)
        for path in set((self.root / FOLDER).glob("*/*.parquet")) - kept:
            manifest = Manifest.path(path)
            (manifest if manifest.exists() else path).unlink()

    def _wanted(self, connection: "duckdb.DuckDBPyConnection") -> Iterator[tuple[Path, Lineage, list[Shard]]]:
        """Yield each file with its origin and its shards of candidates."""
        query, scores = sql_files.code("score/scored_candidates"), _digest(self.scores)
        scorers = connection.execute(sql_files.text("score/deciding_scorers")).fetchall()
        for job, group in groupby(self.candidates, lambda shard: shard.path.parent.name):
            shards = list(group)
            for (scorer,) in scorers:
                inputs = {"candidates": _digest(shards), "scores": scores}
                lineage = Lineage("scored-candidates", job, {"scorer": scorer, "query": query}, inputs)
                name = digest(job, lineage.settings, inputs)[:16]
                yield self.root / FOLDER / job / f"{name}.parquet", lineage, shards


def _digest(shards: list[Shard]) -> str:
    return digest([[shard.path.name, shard.sha256] for shard in shards])


def _write(connection: "duckdb.DuckDBPyConnection", lineage: Lineage, path: Path) -> int:
    import pyarrow.parquet as pq

    scorer = lineage.settings["scorer"]
    sql_files.execute(connection, "score/scored_candidates", scorer=scorer, path=str(path))
    return int(pq.read_metadata(path).num_rows)
