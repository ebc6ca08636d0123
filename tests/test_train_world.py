"""Several processes that train as one (train/world.py): real gloo processes compared with a single one."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from world_workers import disagree, fail, gradients, ranking, say

from curate import Workspace
from curate.cutoffs import set_cutoffs
from curate.errors import BadSettings, CurateError
from curate.jobs import Job
from curate.models import pretrained
from curate.models.pretrained import load_tokenizer
from curate.ragged import Ragged
from curate.shards import Lineage
from curate.train import training_rows
from curate.train.launch import launch
from curate.train.lifecycle import seen
from curate.train.world import World, join
from curate.training_set import TrainingSet

Make = Callable[..., Workspace]
Model = Callable[..., Path]
EQUAL = pytest.approx({"cosine": 1.0, "norm": 1.0, "loss": 1.0}, abs=1e-5)
WORDS = ["rain", "snow", "hail", "wind", "fog", "sun", "frost", "storm", "mist", "dew"]


@pytest.fixture
def folder(make_workspace: Make, tiny_encoder: Model, tmp_path: Path) -> Path:
    """Write the rows of seven queries. Some have two positives, most have hard negatives, and there are masks."""
    passages = {f"p{n}": f"{WORDS[n % 10]} {n} " * (1 + n % 4) for n in range(30)}
    queries = {f"q{n}": f"when does {WORDS[n]} fall" for n in range(7)}
    qrels = [(f"q{n}", f"p{n}") for n in range(7)] + [("q1", "p11"), ("q2", "p12")]
    found = {f"q{n}": [f"p{(n + shift) % 30}" for shift in range(0, 20, 2)] for n in range(6)}
    workspace = make_workspace(passages, queries, qrels=qrels, candidates=found)
    denoised(workspace)
    write_rows(workspace, tiny_encoder(), tmp_path / "rows")
    return tmp_path


def denoised(workspace: Workspace) -> None:
    """Score every candidate so that a third each is a hard negative, uncertain and a false negative."""
    job = Job(workspace, "denoise", "score-1")
    pairs = workspace.scan("candidates").collect().select("query_key", "passage_key").to_dicts()
    job.write_rows(
        "scores",
        [{"scorer_id": "judge", "logit": (-4.0, 0.0, 4.0)[pair["passage_key"] % 3], **pair} for pair in pairs],
    )
    job.finish()
    set_cutoffs(workspace, "default", scorer_id="judge", depth=50, negative_below=0.1, positive_above=0.9)


def write_rows(workspace: Workspace, model: Path, folder: Path, **options: Any) -> None:
    tokenizer = load_tokenizer(model)
    training_set = TrainingSet(
        runs=["bm25-train"], cutoffs="default", seed=0, augmented=False, promote=False, depth=50
    )
    drawn = {"scorer": "judge", "epochs": 3, "positives": 2, "hard_negatives": 2, "random_negatives": 1}
    drawn["uncertain"] = 0
    training_rows.write(
        workspace,
        folder,
        training_set,
        {**training_set.parameters, **drawn, "masks": "decisions", **options},
        lambda _keys, texts, _side: Ragged.of(tokenizer(texts, truncation=True, max_length=24)["input_ids"]),
        Lineage("test", "rows"),
    )


def compared(folder: Path, processes: int, options: dict[str, Any], batch_rows: int) -> dict[str, float]:
    """Compare the results of `processes` processes with those of one process without gradient caching."""
    several = ("gradient_cache", "part_tokens", "cross_batch")
    plain = {key: value for key, value in options.items() if key not in several}
    gradients(World(), folder, plain, batch_rows, "one.pt")
    if processes == 1:
        gradients(World(), folder, dict(options), batch_rows, "many.pt")
    else:
        launch(processes, gradients, folder, options, batch_rows, "many.pt")
    return equality(folder)


def equality(folder: Path) -> dict[str, float]:
    """Return how the gradients and losses in many.pt and one.pt compare."""
    one, many = torch.load(folder / "one.pt"), torch.load(folder / "many.pt")
    cosine = torch.nn.functional.cosine_similarity(one["gradient"].double(), many["gradient"].double(), dim=0)
    norm = many["gradient"].double().norm() / one["gradient"].double().norm()
    return {"cosine": cosine.item(), "norm": norm.item(), "loss": many["loss"] / one["loss"]}


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("processes", [1, 2, 4])
def test_the_gradient_of_several_processes_is_that_of_one_with_the_whole_batch(
    folder: Path, processes: int, cached: bool
) -> None:
    """There are hard negatives, several positives and masks, and texts go in parts.

    Norm and direction are equal.
    """
    found = compared(folder, processes, {"gradient_cache": cached, "part_tokens": 64}, batch_rows=7)
    assert found == EQUAL


@pytest.mark.parametrize("groups", [1, 3, 6])
@pytest.mark.parametrize("processes", [2, 4])
def test_the_gradient_of_a_cross_encoder_does_not_depend_on_the_number_of_processes(
    tiny_cross_encoder: Model, groups: int, processes: int
) -> None:
    """The groups differ in size. With a single group, all processes but one have none."""
    folder = tiny_cross_encoder().parent
    ranking(World(), folder, groups, "one.pt")
    launch(processes, ranking, folder, groups, "many.pt")
    assert equality(folder) == EQUAL


def test_a_process_whose_queries_have_no_negatives_of_their_own_takes_part(
    make_workspace: Make, tiny_encoder: Model, tmp_path: Path
) -> None:
    """Three queries have only their positives, and are compared with the other processes' passages."""
    workspace = make_workspace(
        {"p0": "rain", "p1": "snow", "p2": "hail"},
        {f"q{n}": f"when does {WORDS[n]} fall" for n in range(3)},
        qrels=[(f"q{n}", f"p{n}") for n in range(3)],
    )
    alone = {"runs": [], "hard_negatives": 0, "random_negatives": 0, "denoised": False, "masks": "none"}
    write_rows(workspace, tiny_encoder(), tmp_path / "rows", **alone)
    assert compared(tmp_path, 3, {}, batch_rows=3) == EQUAL
    alone_found = compared(tmp_path, 3, {"cross_batch": False}, batch_rows=2)  # the third process has no rows
    assert alone_found["loss"] == 0.0


@pytest.mark.parametrize("batch_rows", [1, 3, 5])
def test_uneven_batches_and_more_processes_than_rows_neither_hang_nor_change_the_gradient(
    folder: Path, batch_rows: int
) -> None:
    """With a single row, three of four processes have none."""
    assert compared(folder, 4, {}, batch_rows) == EQUAL


@pytest.mark.parametrize("distill", ["kl", "margin-mse"])
def test_what_the_cross_encoder_teaches_does_not_depend_on_the_number_of_processes(
    folder: Path, distill: str
) -> None:
    """The mix of the two losses is the same, because neither is averaged by process."""
    found = compared(folder, 2, {"distill": distill, "distill_weight": 0.5}, batch_rows=5)
    assert found == EQUAL


@pytest.mark.parametrize("several", ["mean", "lse-pair", "marginal"])
@pytest.mark.parametrize(("processes", "batch_rows"), [(2, 7), (4, 3)])
def test_several_positives_and_soft_labels_do_not_depend_on_the_number_of_processes(
    folder: Path, several: str, processes: int, batch_rows: int
) -> None:
    """Rows have up to two positives and two soft labels. With three rows, one of four processes has none."""
    workspace = Workspace(folder / "set")
    shutil.rmtree(folder / "rows")
    write_rows(workspace, folder / "encoder", folder / "rows", uncertain=2)
    options = {"positives_loss": several, "uncertain": 2}
    assert compared(folder, processes, options, batch_rows) == EQUAL
    other = torch.load(folder / "one.pt")["loss"]
    gradients(World(), folder, {"uncertain": 0}, batch_rows, "one.pt")
    assert other != torch.load(folder / "one.pt")["loss"]  # the options do something


def test_separate_towers_have_gradients_of_their_own(folder: Path) -> None:
    """There are twice as many weights, with the same parity."""
    found = compared(folder, 2, {"separate": True}, batch_rows=7)
    assert found == EQUAL


def test_without_cross_batch_negatives_the_gradient_is_another(folder: Path) -> None:
    """This shows that the tests above can fail: each process sees only its own passages."""
    found = compared(folder, 2, {"cross_batch": False}, batch_rows=7)
    assert found["loss"] < 0.9
    assert found["cosine"] < 1 - 1e-4


@pytest.mark.parametrize(("how", "message"), [("raise", "the second process says why"), ("exit", "ended early")])
def test_an_error_in_one_process_ends_all_and_is_told(how: str, message: str) -> None:
    """The other processes wait for it in a collective operation, and are stopped."""
    with pytest.raises(CurateError, match=message):
        launch(2, fail, how)


def test_all_processes_learn_that_one_of_them_stands_elsewhere(tmp_path: Path) -> None:
    """For example, one machine may have another folder. Then no process trains."""
    launch(3, disagree, tmp_path)
    assert [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(3)] == [[True, False]] * 3


def test_what_the_first_process_wrote_is_waited_for_but_not_for_ever(tmp_path: Path) -> None:
    """One file appears at the third look, and one never does."""
    looks = iter([None, None, "there"])
    assert seen(lambda: next(looks), tmp_path) == "there"
    with pytest.raises(CurateError, match="All machines need the same workspace folder"):
        seen(lambda: None, tmp_path / "rows.parquet", patience=0.0)


def test_shares_are_contiguous_and_nearly_equal(tmp_path: Path) -> None:
    """Five items are divided among two processes, and among seven, of which some have none."""
    launch(2, say, tmp_path)
    assert [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)] == [[0, 2], [2, 5]]
    assert [len(share) for share in World(0, 7).shares(5)] == [0, 1, 1, 0, 1, 1, 1]


def test_an_apple_gpu_trains_in_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither gloo nor NCCL supports its tensors, so the error comes early."""
    monkeypatch.setattr(pretrained, "device", lambda: "mps")
    with pytest.raises(BadSettings, match="training on an Apple GPU runs in one process"):
        join(0, 2, "file:///nowhere", 0)
