"""Arrow tables of a fixed size, however their source cuts them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa


def regrouped(tables: "Iterable[pa.Table | pa.RecordBatch]", size: int) -> "Iterator[pa.Table]":
    """Yield the rows of tables or record batches as tables of `size` rows; the last table may be shorter.

    The columns of a table that is yielded are single chunks.
    """
    import pyarrow as pa

    held: Any = None
    for each in tables:
        table = pa.Table.from_batches([each]) if isinstance(each, pa.RecordBatch) else each
        held = table if held is None else pa.concat_tables([held, table])
        while held.num_rows >= size:
            yield held.slice(0, size).combine_chunks()
            held = held.slice(size)
    if held is not None and held.num_rows:
        yield held.combine_chunks()
