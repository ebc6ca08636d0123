"""Finding the passages that are a query's own text under the query's own id."""

from typing import TYPE_CHECKING

from curate import sql_files
from curate.jobs import Job
from curate.load.texts import shards, stand_on
from curate.text_hash import text_hashes

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 16_384


def load_own_copies(job: Job) -> int:
    """Write the new rows of `own_copies`, now that this load has passages or queries; return their number."""
    import pyarrow as pa

    if not (shards(job, "passages") and shards(job, "queries")):
        return 0
    with job.workspace.connect_lazily(memory_limit="500MB") as connection:
        stand_on(connection, job, "passages")
        stand_on(connection, job, "queries")
        batches = sql_files.select(connection, "load/same_ids").to_arrow_reader(BATCH)
        copies = [_copies(pa.Table.from_batches([batch])) for batch in batches]
    count = sum(map(len, copies))
    if count:
        job.write("own_copies", 0, lambda: copies)
    return count


def _copies(found: "pa.Table") -> "pa.Table":
    import pyarrow.compute as pc

    alone = text_hashes(found["body"].to_pylist()) == found["text_hash"].to_numpy()
    return found.filter(pc.or_(found["same"], alone)).select(["query_key", "passage_key"])
