"""`beir`: the whole collection, the queries, their qrels, and a file of hard negatives."""

from curate.export.formats.part import Part


class Beir:
    """A BEIR folder whose split `train` holds the curated positives as qrels, one row per (query, positive)."""

    name = "beir"
    trainers = "beir, GPL, MTEB, `curate load` and everything else that reads BEIR folders"
    needs_negatives = False
    unit = "queries and passages"
    loading = """\
```python
from beir.datasets.data_loader import GenericDataLoader

corpus, queries, qrels = GenericDataLoader("{folder}").load(split="train")
```
`hard-negatives.jsonl` has one line for every query with negatives: its `query_id`, and its `positives` and
`negatives` with their ids, sources and probabilities."""

    def parts(self, negatives: int) -> list[Part]:  # noqa: ARG002
        """Return the qrels, the queries, the hard negatives and the collection."""
        return [
            Part("qrels/train.tsv", "export/beir_qrels", header="query-id\tcorpus-id\tscore\n", is_rows=True),
            Part("queries.jsonl", "export/beir_queries"),
            Part("hard-negatives.jsonl", "export/evidence"),
            Part("corpus.jsonl", "export/beir_corpus", over="passages"),
        ]
