"""`rocketqa-dual` and `rocketqa-cross`: the TSV files of RocketQA's own trainers, without a header."""

from curate.export.formats.part import Part


class RocketQaDual:
    """One line per (query, positive, negative): query, two titles with their texts, and 0."""

    name = "rocketqa-dual"
    trainers = "RocketQA's dual-encoder (PaddlePaddle)"
    needs_negatives = True
    unit = "queries"
    loading = """\
```
python train_de.py --train_set {folder}/{file} ...
```
The columns are query, title and text of the positive, title and text of the negative, and 0. A missing title is
`-`. The reader splits at every tab, so that tabs and line breaks in texts are spaces here. Row n of the
configuration `provenance` belongs to line n."""

    def parts(self, negatives: int) -> list[Part]:  # noqa: ARG002
        """Return the lines and their provenance."""
        return [
            Part("data/train.tsv", "export/rocketqa_dual", is_rows=True),
            Part("provenance/train.parquet", "export/triplet_provenance", config="provenance"),
        ]


class RocketQaCross:
    """One line per (query, passage): query, title, text and label."""

    name = "rocketqa-cross"
    trainers = "RocketQA's cross-encoder (PaddlePaddle)"
    needs_negatives = False
    unit = "queries"
    loading = """\
```
python train_ce.py --train_set {folder}/{file} ...
```
The columns are query, title (empty if there is none), text, and the label, 1 or 0. The reader splits at every
tab, so that tabs and line breaks in texts are spaces here. Row n of the configuration `provenance` belongs to
line n."""

    def parts(self, negatives: int) -> list[Part]:  # noqa: ARG002
        """Return the lines and their provenance."""
        return [
            Part("data/train.tsv", "export/rocketqa_cross", is_rows=True),
            Part("provenance/train.parquet", "export/labeled_pair_provenance", config="provenance"),
        ]
