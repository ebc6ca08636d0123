"""The data of a dual-encoder (sql/train, train/training_rows.py, train/batch.py)."""

from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from curate import Workspace
from curate.calibration import write_calibration
from curate.cutoffs import set_cutoffs
from curate.errors import BadSettings
from curate.jobs import Job
from curate.ragged import Ragged
from curate.shards import Lineage
from curate.train import training_rows
from curate.train.batch import Batch, Batches, ahead
from curate.train.world import World
from curate.training_set import TrainingSet

Make = Callable[..., Workspace]
PASSAGES = {
    "rain": "rain falls", "twin": "Rain falls!", "snow": "snow lies", "hail": "hail hurts", "wind": "wind blows",
    "fog": "fog hides", "sun": "sun warms", "dew": "dew dries",
}  # fmt: skip
QUERIES = {"q-rain": "what falls", "q-snow": "what lies", "q-none": "what is unlabelled", "q-new": "what is asked"}
LOGITS = {
    ("q-rain", "snow"): -4.0, ("q-rain", "hail"): 4.0, ("q-rain", "wind"): 0.0, ("q-rain", "fog"): -3.0,
    ("q-rain", "twin"): -5.0, ("q-rain", "rain"): 5.0, ("q-snow", "snow"): 6.0, ("q-snow", "rain"): 3.0,
    ("q-new", "sun"): 4.0, ("q-new", "dew"): -4.0,
}  # fmt: skip
PARAMETERS: dict[str, Any] = {
    "runs": ["bm25-train"], "cutoffs": "default", "scorer": "judge", "depth": 50, "epochs": 2, "positives": 1,
    "hard_negatives": 2, "random_negatives": 0, "uncertain": 0, "denoised": True, "masks": "decisions",
    "augmented": False, "promote": False, "seed": 0,
}  # fmt: skip


@pytest.fixture
def workspace(make_workspace: Make) -> Workspace:
    """Rain is the positive of q-rain (twin has its text), and snow of q-snow.

    Hail is a false negative, wind uncertain.
    """
    workspace = make_workspace(
        PASSAGES, QUERIES, qrels=[("q-rain", "rain"), ("q-snow", "snow")], unlabeled=["q-new"],
        candidates={
            "q-rain": ["twin", "rain", "snow", "hail", "wind", "fog"], "q-snow": ["snow", "rain", "sun"],
        },
    )  # fmt: skip
    keys = {
        "query_key": {name: key for key, name in enumerate(QUERIES)},
        "passage_key": {name: key for key, name in enumerate(PASSAGES)},
    }
    job = Job(workspace, "denoise", "score-1")
    job.write_rows(
        "scores",
        [
            {
                "scorer_id": "judge",
                "query_key": keys["query_key"][query],
                "passage_key": keys["passage_key"][passage],
                "logit": logit,
            }
            for (query, passage), logit in LOGITS.items()
        ],
    )
    job.finish()
    set_cutoffs(workspace, "default", scorer_id="judge", depth=50, negative_below=0.1, positive_above=0.9)
    return workspace


def write(workspace: Workspace, folder: Path, **changes: Any) -> Path:
    """Write the files; the token ids of a text are the codes of its letters."""
    parameters = {**PARAMETERS, **changes}
    training_rows.write(
        workspace,
        folder,
        training_set(parameters),
        parameters,
        lambda _keys, texts, _side: Ragged.of([[ord(letter) for letter in text] for text in texts]),
        Lineage("test", "rows", changes),
    )
    return folder


def training_set(parameters: dict[str, Any]) -> TrainingSet:
    return TrainingSet(**{field.name: parameters[field.name] for field in fields(TrainingSet)})


def listed(folder: Path) -> list[tuple[int, str, list[str]]]:
    """Return (row, query, passages), with the positives before the negatives."""
    frame = pl.read_parquet(folder / training_rows.ROWS)
    names, queries = list(PASSAGES), list(QUERIES)
    return [
        (row, queries[group["query_key"][0]], [names[key] for key in group["passage_key"]])
        for (row,), group in frame.group_by("row_number", maintain_order=True)
    ]


def negatives(folder: Path, query: str) -> set[str]:
    return {name for _, asked, found in listed(folder) if asked == query for name in found[1:]}


def test_hard_negatives_are_what_the_judge_rejects(workspace: Workspace, tmp_path: Path) -> None:
    """Two of six candidates are left. q-snow has none (sun is unscored, rain is held relevant) and gets none."""
    folder = write(workspace, tmp_path)
    assert negatives(folder, "q-rain") == {"snow", "fog"}
    assert negatives(folder, "q-snow") == set()
    assert training_rows.counts_in(folder / training_rows.ROWS) == (training_rows.Counts(2, 0, 1, 1, 0), 8)


def test_a_shallower_depth_takes_negatives_away_and_no_mask(workspace: Workspace, tmp_path: Path) -> None:
    """Only snow is safe among the first three. Hail and wind, at ranks 4 and 5, are masked all the same."""
    folder = write(workspace, tmp_path, depth=3)
    assert negatives(folder, "q-rain") == {"snow"}
    queries = Batches(folder, World(), cross_batch=True).queries
    offsets, values = queries.lists("masked")
    assert {list(PASSAGES)[key] for key in values[offsets[0] : offsets[1]]} == {"rain", "hail", "wind"}


def test_without_denoising_they_are_whatever_was_mined_and_not_labelled(
    workspace: Workspace, tmp_path: Path
) -> None:
    """They include the false negative, which the paper shows to hurt.

    The text of a positive is never a negative.
    """
    folder = write(workspace, tmp_path, denoised=False, hard_negatives=9)
    assert negatives(folder, "q-rain") == {"snow", "hail", "wind", "fog"}
    assert negatives(folder, "q-snow") == {"rain", "sun"}


def soft_labels(folder: Path) -> dict[tuple[str, str], float]:
    """Return the weight of every passage that is neither a positive nor a negative, by query and passage."""
    rows = pl.read_parquet(folder / training_rows.ROWS).filter(pl.col("kind") == "uncertain").to_dicts()
    return {(list(QUERIES)[row["query_key"]], list(PASSAGES)[row["passage_key"]]): row["weight"] for row in rows}


def test_an_uncertain_candidate_is_a_soft_label_with_its_probability(workspace: Workspace, tmp_path: Path) -> None:
    """Only wind is uncertain: logit 0 is 0.5. sun, which nobody scored, is no positive, negative or soft label."""
    folder = write(workspace, tmp_path, uncertain=2)
    assert soft_labels(folder) == {("q-rain", "wind"): 0.5}
    assert training_rows.counts_in(folder / training_rows.ROWS)[0].soft == 1
    assert [found for _, asked, found in listed(folder) if asked == "q-snow"] == [["snow"]] * 2
    rains = [found[:2] for _, asked, found in listed(folder) if asked == "q-rain"]
    assert rains == [["rain", "wind"]] * 2


def test_the_weight_is_the_calibrated_probability_of_the_decisions(workspace: Workspace, tmp_path: Path) -> None:
    """The calibration halves the logits, so that fog at -3 and snow at -4 become uncertain, too."""
    values = {"scorer_id": "judge", "a": 0.5, "b": 0.5, "c": 0.0, "form": "declared", "evidence": "declared"}
    counts = {"queries": 0, "positives": 0, "others": 0, "seed": 0}
    settings = {"calibration": {**values, **counts}, "reliability": [], "promises": []}
    write_calibration(workspace, "calibrate-1", settings)
    set_cutoffs(workspace, "default", calibration="calibrate-1")
    found = soft_labels(write(workspace, tmp_path, uncertain=9, hard_negatives=0))
    by_hand = {("q-rain", name): 1 / (1 + np.exp(-logit / 2)) for name, logit in
               (("snow", -4.0), ("hail", 4.0), ("wind", 0.0), ("fog", -3.0))}  # fmt: skip
    by_hand["q-snow", "rain"] = 1 / (1 + np.exp(-1.5))
    assert found == pytest.approx(by_hand)


def test_a_query_about_which_nothing_is_sure_does_not_train(workspace: Workspace, tmp_path: Path) -> None:
    """q-none has an uncertain candidate and no positive: there is nothing to rank above its negatives."""
    job = Job(workspace, "mine", "bm25-more")
    job.write_rows("candidates", [
        {"run_id": "bm25-more", "query_key": 2, "passage_key": 4, "rank": 1, "score": 1.0}
    ])  # fmt: skip
    job.finish()
    scores = Job(workspace, "denoise", "score-2")
    scores.write_rows("scores", [{"scorer_id": "judge", "query_key": 2, "passage_key": 4, "logit": 0.0}])
    scores.finish()
    decided = workspace.scan("found").filter(pl.col("query_key") == 2).collect()["decision"].to_list()
    assert decided == ["uncertain"]
    folder = write(workspace, tmp_path, uncertain=2, runs=["bm25-train", "bm25-more"])
    assert "q-none" not in [asked for _, asked, _ in listed(folder)]
    assert set(soft_labels(folder)) == {("q-rain", "wind")}


def test_soft_labels_take_turns_and_are_no_negatives_elsewhere(workspace: Workspace, tmp_path: Path) -> None:
    """With cutoffs at 0.01 and 0.99 there are four uncertain candidates, of which each row has one.

    In other rows they are masked even if only labels are.
    """
    set_cutoffs(workspace, "default", negative_below=0.01, positive_above=0.99)
    folder = write(workspace, tmp_path, uncertain=1, epochs=4, masks="labels", hard_negatives=0)
    drawn = [found[1] for _, asked, found in listed(folder) if asked == "q-rain"]
    assert sorted(drawn) == ["fog", "hail", "snow", "wind"]
    queries = Batches(folder, World(), cross_batch=True).queries
    offsets, values = queries.lists("masked")
    masked = {list(PASSAGES)[key] for key in values[offsets[0] : offsets[1]]}
    assert masked == {"rain", "fog", "hail", "snow", "wind"}


def test_a_text_that_has_another_decision_is_no_soft_label(make_workspace: Make, tmp_path: Path) -> None:
    """People judged B not relevant, so b, which has its text, is not half relevant. Of c and C one is drawn."""
    passages = {"a": "rain", "b": "snow", "B": "Snow!", "c": "hail", "C": "Hail!", "d": "fog"}
    workspace = make_workspace(
        passages, {"q": "what falls"}, qrels=[("q", "a")], candidates={"q": ["b", "B", "c", "C", "d"]}
    )
    load = Job(workspace, "load", "load-00002")
    load.write_rows("annotations", [{"query_key": 0, "passage_key": 2, "relevant": False, "annotator": "ann"}])
    load.finish()
    job = Job(workspace, "denoise", "score-1")
    logits = [(1, 0.0), (3, 0.0), (4, 0.0), (5, -9.0)]
    job.write_rows("scores", [
        {"scorer_id": "judge", "query_key": 0, "passage_key": key, "logit": logit} for key, logit in logits
    ])  # fmt: skip
    job.finish()
    set_cutoffs(workspace, "default", scorer_id="judge", depth=50, negative_below=0.1, positive_above=0.9)
    folder = write(workspace, tmp_path, uncertain=9, epochs=1)
    rows = pl.read_parquet(folder / training_rows.ROWS)
    drawn = rows.filter(pl.col("kind") == "uncertain")["passage_key"].to_list()
    assert len(drawn) == 1
    assert drawn[0] in (3, 4)


def test_every_epoch_has_each_query_once_and_other_negatives(workspace: Workspace, tmp_path: Path) -> None:
    """With one negative per row, the two alternate."""
    found = listed(write(workspace, tmp_path, hard_negatives=1))
    assert [row for row, _, _ in found] == [0, 1, 2, 3]
    assert [{found[0][1], found[1][1]}, {found[2][1], found[3][1]}] == [{"q-rain", "q-snow"}] * 2
    rains = [passages for _, asked, passages in found if asked == "q-rain"]
    assert {passages[1] for passages in rains} == {"snow", "fog"}


def test_random_negatives_are_none_that_the_runs_found(workspace: Workspace, tmp_path: Path) -> None:
    """For q-rain, only sun and dew are left."""
    folder = write(workspace, tmp_path, hard_negatives=0, random_negatives=2, epochs=8)
    assert negatives(folder, "q-rain") == {"sun", "dew"}


def test_pseudo_labelled_queries_train_when_asked_for(workspace: Workspace, tmp_path: Path) -> None:
    """q-new has no label. The scorer is sure of sun and rejects dew."""
    job = Job(workspace, "mine", "bm25-unlabeled")
    job.write_rows(
        "candidates",
        [
            {"run_id": "bm25-unlabeled", "query_key": 3, "passage_key": key, "rank": rank, "score": 1.0 / rank}
            for rank, key in ((1, 6), (2, 7))
        ],
    )
    job.finish()
    both = {"runs": ["bm25-train", "bm25-unlabeled"], "epochs": 1}
    with_them = listed(write(workspace, tmp_path / "a", augmented=True, **both))
    assert ("q-new", ["sun", "dew"]) in [(asked, found) for _, asked, found in with_them]
    assert "q-new" not in [asked for _, asked, _ in listed(write(workspace, tmp_path / "b", **both))]


def batch(folder: Path, world: World | None = None, **options: bool) -> Batch:
    return next(Batches(folder, world or World(), cross_batch=options.get("cross_batch", True)).read(2))[1]


def relations(found: Batch) -> Iterator[tuple[str, str, str, bool]]:
    """Yield the query, the passage, its role for the query, and whether it is in the query's own row."""
    queries, passages = list(QUERIES), list(PASSAGES)
    for row in range(found.rows):
        for column, key in enumerate(found.passage_keys):
            is_what = (
                "positive"
                if found.positive[row, column]
                else "negative"
                if found.negative[row, column]
                else "masked"
            )
            yield queries[found.query_keys[row]], passages[key], is_what, column in found.slots[row]


def expected(query: str, passage: str, masks: str) -> set[str]:
    """Return the role of a passage for a query, according to the rules in words."""
    own = {"q-rain": "rain", "q-snow": "snow"}[query]
    if passage == own:
        return {"positive", "masked"}  # a positive once in its own row, and masked in other rows
    relevant = {"labels": {("q-rain", "twin")}, "none": set()}.get(
        masks, {("q-rain", "twin"), ("q-rain", "hail"), ("q-rain", "wind"), ("q-snow", "rain"), ("q-snow", "sun")}
    )
    return {"masked"} if (query, passage) in relevant else {"negative"}


@pytest.mark.parametrize("masks", ["none", "labels", "decisions"])
def test_masks_in_the_batch_are_what_the_tables_say(workspace: Workspace, tmp_path: Path, masks: str) -> None:
    """Undenoised negatives bring every kind of passage into the batch. A double loop checks each of them."""
    folder = write(workspace, tmp_path, masks=masks, denoised=False, hard_negatives=9)
    for query, passage, found, in_own_row in relations(batch(folder)):
        allowed = expected(query, passage, masks)
        if masks == "none":  # a positive that also occurs in another row counts as a negative for its query
            allowed = {"positive", "negative"} if "positive" in allowed else allowed
        if in_own_row and "positive" not in allowed:  # drawn without denoising, as requested
            allowed = {"negative"}
        assert found in allowed, (query, passage)


def test_each_process_has_its_rows_and_everybody_s_passages(workspace: Workspace, tmp_path: Path) -> None:
    """The rows of two processes together are the batch of a single process."""
    folder = write(workspace, tmp_path)
    whole = batch(folder)
    parts = [batch(folder, World(rank, 2)) for rank in (0, 1)]
    assert np.array_equal(np.concatenate([part.negative for part in parts]), whole.negative)
    assert [ids.tolist() for part in parts for ids in part.passages] == [ids.tolist() for ids in whole.passages]
    assert parts[0].counts == parts[1].counts == [len(part.passages) for part in parts]
    alone = batch(folder, World(1, 2), cross_batch=False)
    assert alone.negative.shape == (1, len(alone.passages))
    assert alone.slots.max() == len(alone.passages) - 1


def test_a_soft_label_is_neither_a_positive_nor_a_negative_of_its_row(
    workspace: Workspace, tmp_path: Path
) -> None:
    """Its weight stands behind that of the positive, in the first slots. Two processes see the same."""
    folder = write(workspace, tmp_path, uncertain=1)
    found = batch(folder)
    row = [list(QUERIES)[key] for key in found.query_keys].index("q-rain")
    column = found.slots[row, 1]
    assert list(PASSAGES)[found.passage_keys[column]] == "wind"
    assert (found.positive[row, column], found.negative[row, column]) == (False, False)
    assert found.weights[row].tolist() == [1.0, 0.5]
    assert np.isnan(found.weights[1 - row, 1])
    part = batch(folder, World(row, 2))
    assert part.weights[0].tolist() == [1.0, 0.5]
    assert part.slots[0, 1] == column
    alone = batch(folder, World(row, 2), cross_batch=False)
    assert (alone.slots[0, :2].tolist(), alone.weights[0].tolist()) == ([0, 1], [1.0, 0.5])


def test_the_teacher_s_logits_stand_beside_the_slots(workspace: Workspace, tmp_path: Path) -> None:
    """Unscored pairs have NaN. On every process, the counts of rows and pairs cover the whole batch."""
    folder = write(workspace, tmp_path, denoised=False, hard_negatives=9)
    found = batch(folder)
    for row in range(found.rows):
        for slot, column in enumerate(found.slots[row]):
            if column < 0:
                assert np.isnan(found.teacher[row, slot])
                continue
            pair = (list(QUERIES)[found.query_keys[row]], list(PASSAGES)[found.passage_keys[column]])
            assert found.teacher[row, slot] == pytest.approx(LOGITS.get(pair, float("nan")), nan_ok=True)
    assert (found.taught_rows, found.taught_pairs) == (2, 5)
    assert batch(folder, World(1, 2)).taught_pairs == 5


@pytest.mark.parametrize(
    ("size", "first", "steps"), [(1, 0, [1, 1, 1, 1]), (3, 0, [3, 1]), (3, 1, [1]), (9, 0, [4])]
)
def test_batches_are_whole_rows_and_start_anywhere(
    workspace: Workspace, tmp_path: Path, size: int, first: int, steps: list[int]
) -> None:
    """The last batch has the remaining rows."""
    folder = write(workspace, tmp_path)
    found = list(Batches(folder, World(), cross_batch=True).read(size, first))
    assert [step for step, _ in found] == list(range(first, first + len(steps)))
    assert [part.rows for _, part in found] == steps


def test_the_files_are_the_same_bytes_again(workspace: Workspace, tmp_path: Path) -> None:
    """Every draw is a hash of ids."""
    first, second = write(workspace, tmp_path / "a"), write(workspace, tmp_path / "b")
    for name in (training_rows.ROWS, training_rows.QUERIES, training_rows.PASSAGES):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_nothing_to_train_on_is_said(make_workspace: Make) -> None:
    """Either there are no labels, or no run has a negative for the labelled queries."""
    workspace = make_workspace(PASSAGES, QUERIES, qrels=[("q-rain", "rain")], candidates={"q-rain": ["rain"]})
    undenoised = {**PARAMETERS, "denoised": False}
    with pytest.raises(BadSettings, match=r"1 query has no hard negative in bm25-train\. Run: "):
        training_rows.count(workspace, training_set(undenoised), undenoised)


def test_batches_are_made_ahead_and_their_errors_are_raised() -> None:
    """Batches come in order, and errors are raised at the place where they occurred."""

    def broken() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("the third")

    items = ahead(broken())
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ValueError, match="the third"):
        next(items)
