"""`beir`: the whole collection, the queries, their qrels, and a file of hard negatives."""

from typing import Literal

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
`datasets` reads the lines too, as in `load_dataset("{folder}", "corpus", split="corpus")`.
`hard-negatives.jsonl` has one line for every query with negatives: its `query_id`, and its `positives` and
`negatives` with their ids, sources and probabilities."""

    def parts(self, negatives: int) -> list[Part]:  # noqa: ARG002
        """Return the qrels, the queries, the hard negatives and the collection."""
        return [
            Part(
                "qrels/train.tsv",
                "export/beir_qrels",
                header="query-id\tcorpus-id\tscore\n",
                is_rows=True,
                has_fixed_name=True,
            ),
            _of_lines("queries", "export/beir_queries"),
            _of_lines("hard-negatives", "export/evidence"),
            _of_lines("corpus", "export/beir_corpus", over="passages"),
        ]


def _of_lines(name: str, query: str, over: Literal["queries", "passages"] = "queries") -> Part:
    """Return the part `<name>.jsonl`. As on the hub, its configuration and its split have the same name."""
    split = name.replace("-", "_")
    return Part(f"{name}.jsonl", query, config=name, split=split, over=over, has_fixed_name=True)
