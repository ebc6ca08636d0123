"""`tevatron`: JSON lines with positive_passages and negative_passages. One line per query."""

from curate.export.formats.part import Part


class Tevatron:
    """Lines with Tevatron's own keys only. Files that it must not read are outside the folder `data`."""

    name = "tevatron"
    trainers = "Tevatron (and trove, rlhn: the same lines)"
    needs_negatives = True  # its reader draws with replacement and fails on an empty list
    unit = "queries"
    loading = """\
```
tevatron.retriever.driver.train --dataset_name json --dataset_path {folder}/{file} ...
```
Title and text are separate; Tevatron joins them with a space. Line n of the configuration `provenance` says where
line n of the set comes from. If a query has fewer negatives than `--train_group_size` minus 1, Tevatron repeats
some of them."""

    def parts(self, negatives: int) -> list[Part]:  # noqa: ARG002
        """Return the lines and their provenance."""
        return [
            Part("data/train.jsonl", "export/tevatron", config="default", is_rows=True),
            Part("provenance.jsonl", "export/evidence", config="provenance"),
        ]
