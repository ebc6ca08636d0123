"""`curate doctor` (curate/doctor): each red check, on a model, texts or a machine with that very fault."""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
from conftest import write_workspace
from test_scorer_kinds import write_modular
from test_served_scorer import Server, serving
from tiny_causal import RERANK, write_causal

import curate
from curate import Workspace
from curate.calibration import write_calibration
from curate.cli.main import run
from curate.cutoffs import set_cutoffs
from curate.doctor import consistency, judgement, machine, reading, stage
from curate.doctor.check import Check, Diagnosis, Subject
from curate.doctor.exam import Cuts, Exam
from curate.doctor.sample import Sample, TextPair, draw_sample
from curate.errors import BadSettings, NoWorkspace, StepMissing
from curate.jobs import Job
from curate.models import batching, causal_scorer, cross_encoder, special_tokens
from curate.models import encoder as encoder_module
from curate.models.encoder import Encoder
from curate.models.fold_scorer import FoldScorer, write_folds
from curate.models.pair_tokens import TokenizedPair
from curate.models.reference import NoReferenceError
from curate.progress import SILENT
from curate.ragged import Ragged
from curate.text_hash import text_hashes

Make = Callable[..., Workspace]
Write = Callable[..., Path]
Floats = np.ndarray[Any, np.dtype[np.float32]]
SIZE = 20
TOPICS = [f"{first}{second}n" for first in "bdfklmprs" for second in "aeiou"][:SIZE]
QUERIES = {f"q{at}": f"where is {topic}" for at, topic in enumerate(TOPICS)}
PASSAGES = {f"p{at}": f"{topic} lies beside {TOPICS[at - 1]} far away" for at, topic in enumerate(TOPICS)}
QRELS = [(f"q{at}", f"p{at}") for at in range(SIZE)]


@pytest.fixture(autouse=True)
def _exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute in float32 unless a test says otherwise."""
    monkeypatch.setenv("CURATE_DTYPE", "fp32")


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the checks of the machine to the tests that are about it: faiss takes a process of its own."""
    quick = Subject("machine", "this one", [], [machine.memory(1 << 40)])
    monkeypatch.setattr(stage, "examine_machine", lambda _root: quick)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return twenty places, a labelled query for each, and no run. All tests share it: nothing writes to it."""
    return write_workspace(tmp_path_factory.mktemp("doctor") / "set", PASSAGES, QUERIES, qrels=QRELS)


@pytest.fixture
def own_texts(make_workspace: Make) -> Workspace:
    """Return the same for a test that writes to it."""
    return make_workspace(PASSAGES, QUERIES, qrels=QRELS)


@pytest.fixture
def server() -> Iterator[Server]:
    """Return a server that scores several passages a request."""
    found = Server()
    found.info = {**found.info, "max_client_batch_size": 8}
    with serving(found):
        yield found


def checks(found: Diagnosis, kind: str = "scorer") -> dict[str, Check]:
    (subject,) = [subject for subject in found.subjects if subject.kind == kind]
    return {check.name: check for check in subject.checks}


def colours(found: Diagnosis, *names: str, kind: str = "scorer") -> list[str]:
    by_name = checks(found, kind)
    return [by_name[name].colour for name in names]


def examine(workspace: Workspace, scorer: Path | str, **options: Any) -> Diagnosis:
    return curate.doctor(workspace, scorer=str(scorer), **options)


REFERENCE, LIBRARY = "as transformers computes it", "as sentence-transformers reads it"
ALONE = ["repeated", "one pair = many", "packed = padded", "order of batches", "an empty text"]


# A model that computes what a test says, for the checks that only look at scores.


class Fake:
    """A model whose scores are a function of the pairs that are scored together."""

    dtype: str | None = "fp32"
    kind: Literal["scorer", "encoder"] = "scorer"
    is_symmetric = False

    def __init__(self, score: Callable[[list[TextPair]], Sequence[float]]) -> None:
        self.function, self.scorer = score, self
        self.settings: dict[str, Any] = {"dtype": "fp32", "scale": "unknown"}
        self.fingerprint, self.scorer_id = "", "fake"

    def prepare(self, queries: Sequence[str], passages: Sequence[str], pairs: Any) -> list[TextPair]:
        return [(queries[query], passages[passage]) for query, passage in pairs.tolist()]

    def score(self, rows: Sequence[TextPair], advance: Callable[[int], None] = lambda _count: None) -> Floats:
        advance(len(rows))
        return np.asarray(self.function(list(rows)), np.float32)

    def in_float32(self) -> "Fake":
        return self

    def reference(self, texts: Sequence[TextPair], *, together: bool = False) -> Floats:
        raise NoReferenceError(f"a fake of {len(texts)} pairs, {together}")

    def by_sentence_transformers(self, texts: Sequence[TextPair]) -> Floats:
        raise NoReferenceError(f"a fake of {len(texts)} pairs")

    def cuts(self, sample: Sample) -> Cuts | None:
        return None


def overlap(query: str, passage: str) -> float:
    """Return how many words they share, with a fraction that only the texts decide; NaN without a word."""
    if not (query.split() and passage.split()):
        return float("nan")
    digest = hashlib.md5(f"{query}|{passage}".encode(), usedforsecurity=False).digest()
    return 4.0 * len(set(query.split()) & set(passage.split())) - 3 + digest[0] / 2560 + digest[1] / 655360


def each(score: Callable[[str, str], float]) -> Callable[[list[TextPair]], list[float]]:
    return lambda rows: [score(query, passage) for query, passage in rows]


def exam(workspace: Workspace, score: Callable[[list[TextPair]], Sequence[float]]) -> Exam:
    return Exam(Fake(score), draw_sample(workspace, "elsewhere", 32))


ON_SCORES: list[Callable[[Exam], Check]] = [
    consistency.repeated, consistency.alone, consistency.padded, consistency.order, consistency.empty,
    judgement.spread, judgement.ties, judgement.one_word, judgement.swapped, judgement.positives,
]  # fmt: skip


@pytest.mark.parametrize("check", ON_SCORES)
def test_a_sound_model_is_green(texts: Workspace, check: Callable[[Exam], Check]) -> None:
    """It counts equal words, but only reads a query's words that stand in the passage, from the passage's side."""

    def score(query: str, passage: str) -> float:
        return overlap(query, passage) + 0.3 * query.startswith("where")

    found = check(exam(texts, each(score)))
    assert found.colour == "green", found


def test_scores_that_change_by_themselves_are_red(texts: Workspace) -> None:
    """A language model that draws its answer does not give the same one twice."""
    drawn = np.random.default_rng(0)
    found = consistency.repeated(exam(texts, lambda rows: [overlap(*row) + drawn.normal() for row in rows]))
    assert found.colour == "red"
    last_bits = np.random.default_rng(0)
    nearly = exam(texts, lambda rows: [overlap(*row) + 1e-4 * last_bits.normal() for row in rows])
    assert consistency.repeated(nearly).colour == "yellow"


def test_a_score_that_depends_on_the_batch_is_red(texts: Workspace) -> None:
    """Its size, its longest text and its order each have a check that finds them."""

    def by_size(rows: list[TextPair]) -> list[float]:
        return [overlap(*row) + 0.01 * len(rows) for row in rows]

    def by_longest(rows: list[TextPair]) -> list[float]:
        longest = max(len(passage) for _, passage in rows)
        return [overlap(*row) + 0.1 * (longest - len(row[1])) for row in rows]

    def by_place(rows: list[TextPair]) -> list[float]:
        return [overlap(*row) + 0.01 * place for place, row in enumerate(rows)]

    assert consistency.alone(exam(texts, by_size)).colour == "red"
    assert consistency.padded(exam(texts, by_longest)).colour == "red"
    assert consistency.order(exam(texts, by_place)).colour == "red"


def test_a_score_for_an_empty_text_is_red(texts: Workspace) -> None:
    """Nothing was read, so there is nothing to judge."""
    found = consistency.empty(exam(texts, lambda rows: [float(len(passage)) for _, passage in rows]))
    assert found.colour == "red"
    assert "an empty passage has 0" in found.found


def test_one_score_for_everything_is_red(texts: Workspace) -> None:
    """A fine-tuned reranker may give 1 to everything."""
    constant = exam(texts, lambda rows: [1.0] * len(rows))
    assert judgement.spread(constant).colour == "red"
    assert judgement.ties(constant).colour == "red"
    assert judgement.one_word(constant).colour == "red"
    assert judgement.positives(constant).colour == "red"
    mostly = exam(
        texts, each(lambda query, passage: 1.0 if query[-3:] not in passage else overlap(query, passage))
    )
    assert judgement.spread(mostly).colour == "red"


def test_ties_of_some_queries_are_yellow(texts: Workspace) -> None:
    """The order of tied passages is that of their keys."""
    few = exam(texts, each(lambda query, passage: 5.0 if query[-3] == "b" else overlap(query, passage)))
    found = judgement.ties(few)
    assert found.colour == "yellow"
    assert found.figures["tied"] == 5


def test_a_passage_that_is_not_read_is_red(texts: Workspace) -> None:
    """A score by the length of the texts, or by the query alone, moves with no word."""
    found = judgement.one_word(exam(texts, each(lambda query, passage: float(len(query) + len(passage.split())))))
    assert found.colour == "red"
    assert found.figures["unmoved"] == found.figures["pairs"]
    noise = judgement.one_word(exam(texts, each(lambda q, p: 400 * overlap(q, p) % 40 + overlap(q, p))))
    assert noise.colour == "yellow"


def test_query_and_passage_in_each_others_place_are_red(texts: Workspace) -> None:
    """The template has them the wrong way round: swapped, the positives stand out."""

    def right(query: str, passage: str) -> float:
        return overlap(query, passage) if query.startswith("where") else overlap(passage, passage[::-1])

    assert judgement.swapped(exam(texts, each(right))).colour == "green"
    wrong = judgement.swapped(exam(texts, each(lambda query, passage: right(passage, query))))
    assert wrong.colour == "red"
    same = exam(texts, each(lambda q, p: overlap(*sorted((q, p)))))
    assert judgement.swapped(same).colour == "yellow"


def test_a_model_that_is_a_little_better_swapped_is_not_red(texts: Workspace) -> None:
    """Of 20 queries, 4 have a random passage above the positive, but not if the two are swapped."""
    asked = exam(texts, each(overlap))
    pairs, kinds, found = asked.sample.texts, asked.sample.kinds, set()
    for query in list(dict.fromkeys(query for query, _ in pairs))[:4]:
        found.add(
            next(pair for pair, kind in zip(pairs, kinds, strict=True) if (pair[0], kind) == (query, "random"))
        )

    def score(query: str, passage: str) -> float:
        return overlap(query, passage) + 99 * ((query, passage) in found)

    swapped = judgement.swapped(exam(texts, each(score)))
    assert float(str(swapped.figures["auc_swapped"])) > float(str(swapped.figures["auc"]))
    assert swapped.colour == "green"


def test_the_auc_and_its_interval_are_those_of_the_queries(texts: Workspace) -> None:
    """Each query counts once: the share of its random passages below its positive."""
    asked = exam(texts, each(overlap))
    found = judgement.positives(asked)
    by_hand = []
    for query in range(SIZE):
        own = {kind: [] for kind in ("positive", "random")}  # type: dict[str, list[float]]
        for at, (of, _) in enumerate(asked.sample.pairs.tolist()):
            if of == query:
                own[asked.sample.kinds[at]].append(float(asked.scores[at]))
        by_hand.append(np.mean([own["positive"][0] > other for other in own["random"]]))
    assert found.figures["auc"] == pytest.approx(np.mean(by_hand))
    assert found.figures["queries"] == SIZE


def test_scores_by_chance_or_the_wrong_way_round_are_red(texts: Workspace) -> None:
    """The class that means relevant may be the other one."""
    reverse = judgement.positives(exam(texts, each(lambda q, p: -overlap(q, p))))
    assert reverse.colour == "red"
    assert "--relevant-class" in reverse.do
    chance = judgement.positives(exam(texts, each(lambda q, p: overlap(q, p) % 0.1)))
    assert chance.colour == "red"
    assert "train one on these texts" in chance.do


def test_without_labels_only_the_auc_is_left_out(make_workspace: Make) -> None:
    """Nothing else needs them, and few labels are said to be few."""
    unlabelled = exam(make_workspace(PASSAGES, QUERIES, unlabeled=QUERIES), each(overlap))
    found = judgement.positives(unlabelled)
    assert (found.colour, "no labels" in found.found) == ("not applicable", True)
    assert judgement.spread(unlabelled).colour == "green"


def test_few_labels_say_little(make_workspace: Make) -> None:
    """Of nine queries no AUC is red or green."""
    found = judgement.positives(exam(make_workspace(PASSAGES, QUERIES, qrels=QRELS[:9]), each(overlap)))
    assert (found.colour, found.do.startswith("label more queries")) == ("yellow", True)


def test_what_the_scorer_was_trained_on_measures_nothing(own_texts: Workspace) -> None:
    """`judge_queries` knows its queries. They are asked last, and not counted."""
    job = Job(own_texts, "train", "train-judge")
    job.write_rows(
        "judge_queries", [{"training": "train-judge", "query_key": key, "fold": None} for key in range(SIZE)]
    )
    job.finish()
    seen = draw_sample(own_texts, "models/judge", 32)
    assert (seen.seen, sum(seen.measured)) == (SIZE, 0)
    found = judgement.positives(Exam(Fake(each(overlap)), seen))
    assert (found.colour, "not trained on" in found.found) == ("not applicable", True)


@pytest.mark.parametrize("kind", ["cross-encoder", "dual-encoder"])
def test_a_training_that_keeps_no_list_of_its_queries_has_seen_all_that_are_labelled(
    own_texts: Workspace, kind: str
) -> None:
    """A model from elsewhere has seen none, even if it lies in the same folder."""
    Job(own_texts, "train", "train-model", {"kind": kind}).finish()
    assert draw_sample(own_texts, "models/model", 32).seen == SIZE
    assert draw_sample(own_texts, "models/downloaded", 32).seen == 0


def test_random_passages_are_neither_found_nor_relevant(make_workspace: Make) -> None:
    """Each pair is of one kind, and a sample is the same every time."""
    workspace = make_workspace(PASSAGES, QUERIES, qrels=QRELS, candidates={"q0": ["p0", "p1", "p2"], "q1": ["p3"]})
    sample = draw_sample(workspace, "elsewhere", 32)
    assert sample.kinds.count("candidate") == 3
    assert len({tuple(pair) for pair in sample.pairs.tolist()}) == len(sample.pairs)
    again = draw_sample(workspace, "elsewhere", 32)
    assert again.texts == sample.texts
    assert len(draw_sample(workspace, "elsewhere", 3).queries) == 3


def test_the_scale_is_yellow_where_cutoffs_mean_nothing(texts: Workspace) -> None:
    """Raw scores, probabilities, scores above 0 for random passages, and a scale that nobody declared."""

    def scale(score: Callable[[str, str], float], declared: str, **options: Any) -> Check:
        asked = exam(texts, each(score))
        asked.model.scorer.settings["scale"] = declared
        facts = {"trained_here": False, "calibration": None, **options}
        return judgement.scale(asked, texts.settings.denoise, **facts)

    assert scale(overlap, "probability").colour == "green"
    assert scale(overlap, "unknown").colour == "yellow"
    assert scale(overlap, "unknown", trained_here=True).colour == "green"
    assert "raw" in scale(overlap, "raw").found
    raised = scale(lambda q, p: overlap(q, p) + 9, "probability")
    assert (raised.colour, "random passages" in raised.found) == ("yellow", True)
    assert "curate calibrate" in raised.do
    assert scale(lambda q, p: overlap(q, p) + 9, "raw", calibration="calibrate-00001").colour == "green"


def test_the_scale_is_that_of_the_cutoffs(own_texts: Workspace) -> None:
    """A calibration that they do not use makes no scale. Without cutoffs, the newest one would be used."""

    def scale() -> tuple[str | None, float]:
        scorer: Any = SimpleNamespace(scorer_id="fake", path="elsewhere")
        found = stage._scale(own_texts, scorer, own_texts.settings.denoise)
        return found["calibration"], round(found["settings"].negative_below, 6)

    facts = {"scorer_id": "fake", "form": "beta", "evidence": "labels", "queries": 1, "positives": 1, "others": 1}
    learnt = {"calibration": {**facts, "seed": 0, "a": 1, "b": 1, "c": 0}, "reliability": [], "promises": []}
    write_calibration(own_texts, "calibrate-00001", learnt)
    assert scale() == ("calibrate-00001", 0.1)
    set_cutoffs(own_texts, "default", scorer_id="fake", negative_below=0.2, calibration="none")
    assert scale() == (None, 0.2)
    set_cutoffs(own_texts, "default", calibration="calibrate-00001")
    assert scale() == ("calibrate-00001", 0.2)


# Models on the product's own path.


def test_a_local_scorer_is_read_as_it_was_made(texts: Workspace, tiny_cross_encoder: Write) -> None:
    """A random one is, too. That its scores are worthless is another check."""
    found = examine(texts, tiny_cross_encoder())
    assert colours(found, REFERENCE, LIBRARY, *ALONE, "truncation") == ["green"] * 8
    assert colours(found, "number format") == ["not applicable"]


def test_a_length_beyond_that_of_the_tokenizer_is_the_librarys_too(
    texts: Workspace, tiny_cross_encoder: Write
) -> None:
    """It would cut what curate reads."""
    folder = tiny_cross_encoder()
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "model_max_length": 16}), "utf-8")
    assert colours(examine(texts, folder, max_length=64, queries=4), LIBRARY) == ["green"]


def test_segments_on_the_wrong_side_are_red(
    texts: Workspace, tiny_cross_encoder: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model was trained with segment 0 for the query. With others, its scores look as plausible."""
    frame: Any = special_tokens.pair_frame

    def wrong(tokenizer: Any) -> Any:
        return dataclasses.replace(frame(tokenizer), segments=(1, 1, 1, 0, 0))

    monkeypatch.setattr(cross_encoder, "pair_frame", wrong)
    monkeypatch.setattr(cross_encoder.CrossEncoder, "_agrees_with_tokenizer", lambda *_: True)
    found = examine(texts, tiny_cross_encoder(), queries=6)
    assert colours(found, REFERENCE, LIBRARY) == ["red", "red"]
    assert colours(found, "one pair = many") == ["green"]
    assert not found.is_sound


def left_padded(padded: Any, columns: Any, padding: int) -> dict[str, Any]:
    """Fill up rows on the left, where the model's positions begin, and hide nothing but the padding."""
    arrays = padded(columns, padding)
    lengths = [len(row) for row in columns["input_ids"]]
    return {
        name: np.stack([np.roll(row, len(row) - length) for row, length in zip(array, lengths, strict=True)])
        for name, array in arrays.items()
    }


def test_padding_on_the_wrong_side_is_red(
    texts: Workspace, tiny_cross_encoder: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BERT counts its positions from the left, padding included. Opening it finds that; so does the doctor."""
    monkeypatch.setattr(batching, "padded", partial(left_padded, batching.padded))
    folder = tiny_cross_encoder()
    refused = examine(texts, folder)
    assert [check.colour for check in checks(refused).values()] == ["red"]
    assert "depend on the batch" in checks(refused)["opens"].found
    monkeypatch.setattr(cross_encoder, "refuse_if_the_batch_matters", lambda *_: None)
    assert colours(examine(texts, folder, queries=6), "packed = padded") == ["red"]


def test_a_tokenizer_that_pads_on_the_left_is_yellow(texts: Workspace, tiny_cross_encoder: Write) -> None:
    """What curate pads does not depend on it, but what other tools pad does."""
    folder = tiny_cross_encoder()
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "padding_side": "left"}), "utf-8")
    found = examine(texts, folder, queries=6)
    assert colours(found, "padded by its own tokenizer", REFERENCE) == ["yellow", "green"]


def test_a_number_format_that_ties_is_red(
    texts: Workspace, tiny_cross_encoder: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the last normalisation lets pass of a text are differences that bf16 hardly knows beside 1."""
    from safetensors.torch import load_file, save_file

    folder = tiny_cross_encoder()
    weights = load_file(folder / "model.safetensors")
    weights["bert.encoder.layer.1.output.LayerNorm.weight"] *= 0.004
    weights["bert.encoder.layer.1.output.LayerNorm.bias"] += 1.0
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    monkeypatch.setenv("CURATE_DTYPE", "bf16")
    found = examine(texts, folder, queries=6)
    assert colours(found, "number format", "ties in the top", REFERENCE) == ["red", "red", "green"]
    assert checks(found)["number format"].do == "--dtype fp32"
    monkeypatch.setenv("CURATE_DTYPE", "fp32")
    assert colours(examine(texts, folder, queries=6), "number format", "ties in the top") == [
        "not applicable",
        "green",
    ]


def test_texts_that_are_cut_are_yellow_and_what_is_behind_is_told(
    make_workspace: Make, tiny_cross_encoder: Write
) -> None:
    """The tokens of the tiny model are letters, so that 64 of them are a dozen words."""
    long = {name: f"{text} {'and so on ' * 9}" for name, text in PASSAGES.items()}
    found = checks(examine(make_workspace(long, QUERIES, qrels=QRELS), tiny_cross_encoder()))["truncation"]
    assert found.colour == "yellow"
    assert found.figures["cut"] == found.figures["texts"]
    assert (found.figures["queries_cut"], found.figures["ends_cut"]) == (0, 0)
    assert "the part behind the cut scores higher in" in found.found
    assert "no positions for more tokens" in found.do


def test_a_long_query_is_cut_too(make_workspace: Make, tiny_cross_encoder: Write) -> None:
    """The line says how many pairs lose a part of the query."""
    long = {name: f"{text} {'or so ' * 20}" for name, text in QUERIES.items()}
    found = examine(make_workspace(PASSAGES, long, qrels=QRELS), tiny_cross_encoder(), queries=4)
    cut = checks(found)["truncation"]
    assert cut.figures["queries_cut"] == cut.figures["cut"] == cut.figures["texts"]


def test_truncation_that_cuts_the_end_of_the_template_is_red(
    make_workspace: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer begins behind it. curate never cuts it; plain truncation does."""
    long = {name: f"{text} {'rain and snow ' * 200}" for name, text in PASSAGES.items()}
    workspace = make_workspace(long, QUERIES, qrels=QRELS)
    folder = write_causal(tmp_path / "qwen", template=RERANK)
    right = checks(examine(workspace, folder, max_length=300, queries=4))
    assert (right["truncation"].colour, right["truncation"].figures["ends_cut"]) == ("yellow", 0)

    def plain(self: Any, asked: Any, read: Any) -> TokenizedPair:
        whole = np.concatenate([asked.before, asked.own, asked.after, read.before, read.own, read.after])
        return TokenizedPair(
            whole[: self.spec.max_length], np.empty(0, np.int8), len(whole) > self.spec.max_length
        )

    monkeypatch.setattr(causal_scorer.CausalScorer, "_row", plain)
    wrong = checks(examine(workspace, folder, max_length=300, queries=4))
    assert wrong["truncation"].colour == "red"
    assert wrong["truncation"].figures["ends_cut"] == wrong["truncation"].figures["texts"]


def test_a_causal_reranker_is_read_as_transformers_does(texts: Workspace, tmp_path: Path) -> None:
    """The reference computes the logits of the whole vocabulary, from one text."""
    found = examine(texts, write_causal(tmp_path / "qwen", template=RERANK), queries=6)
    assert colours(found, REFERENCE, "padded by its own tokenizer", LIBRARY, *ALONE) == ["green"] * 8


def test_judges_in_folds_are_examined_judge_by_judge(
    texts: Workspace, tmp_path: Path, tiny_model: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each query has the judge that has not seen it. Another one gives other scores."""
    folder = tmp_path / "folds"
    for fold in (1, 2):
        tiny_model(folder / f"fold-{fold}", seed=fold)
    of_text = {int(text): at % 3 for at, text in enumerate(text_hashes(list(QUERIES.values())))}
    write_folds(folder, 2, {text: fold for text, fold in of_text.items() if fold})
    found = examine(texts, folder, queries=6)
    assert colours(found, REFERENCE, *ALONE) == ["green"] * 6
    assert colours(found, LIBRARY) == ["not applicable"]
    before = FoldScorer.prepare
    monkeypatch.setattr(
        FoldScorer,
        "prepare",
        lambda self, *texts: [
            row._replace(judge=3 - row.judge if row.judge else 0) for row in before(self, *texts)
        ],
    )
    assert colours(examine(texts, folder, queries=6), REFERENCE) == ["red"]


@pytest.mark.parametrize("residual", [False, True])
def test_a_modular_scorer_is_compared_with_its_library(
    texts: Workspace, tmp_path: Path, tiny_encoder: Write, residual: bool
) -> None:
    """No such head is known to transformers. One with a residual layer is computed by the library itself."""
    found = examine(texts, write_modular(tmp_path / "modular", tiny_encoder(), residual=residual), queries=6)
    assert colours(found, REFERENCE, LIBRARY, *ALONE) == ["not applicable", *["green"] * 6]
    assert colours(found, "scale") == ["yellow"]


def test_a_server_is_examined_by_its_answers(texts: Workspace, server: Server) -> None:
    """It shows neither its model nor its tokens, so the comparisons with libraries do not apply."""
    server.logit = overlap
    found = examine(texts, f"{server.address}#org/judge")
    assert colours(found, REFERENCE, LIBRARY, "number format") == ["not applicable"] * 3
    assert colours(found, *ALONE, "positives above random passages", "truncation") == ["green"] * 7


def test_a_server_whose_scores_depend_on_the_request_is_red(texts: Workspace, server: Server) -> None:
    """Opening it does not show that; a pair that is asked alone does."""
    ranked = server.ranked
    server.ranked = lambda passages, body: [  # type: ignore[method-assign]
        (at, score + len(passages) * (len(passages) != 6)) for at, score in ranked(passages, body)
    ]
    server.logit = overlap
    assert colours(examine(texts, f"{server.address}#org/judge"), "one pair = many") == ["red"]


def test_a_server_that_cuts_the_end_of_a_passage_is_yellow(texts: Workspace, server: Server) -> None:
    """Another last word leaves the score as it is."""
    server.logit = lambda query, passage: overlap(query, " ".join(passage.split()[:4]))
    found = checks(examine(texts, f"{server.address}#org/judge"))["truncation"]
    assert found.colour == "yellow"
    assert found.figures["cut"] == found.figures["texts"]


# Encoders.


def test_an_encoder_is_read_as_it_was_made(texts: Workspace, tiny_encoder: Write) -> None:
    """Its pairs have the inner product of the vectors that mining stores."""
    found = curate.doctor(texts, encoder=str(tiny_encoder()))
    names = (REFERENCE, LIBRARY, *ALONE, "truncation", "different scores")
    assert colours(found, *names, kind="encoder") == ["green"] * 9
    assert colours(found, "query and passage swapped", kind="encoder") == ["not applicable"]


def test_another_pooling_is_red(texts: Workspace, tiny_encoder: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vectors of the first tokens are plausible, too."""
    pooled = encoder_module.pooled
    monkeypatch.setattr(
        encoder_module, "pooled", lambda hidden, mask, _modes, skip=0: pooled(hidden, mask, ("cls",), skip)
    )
    found = curate.doctor(texts, encoder=str(tiny_encoder()), queries=6)
    assert colours(found, REFERENCE, LIBRARY, kind="encoder") == ["red", "red"]


@pytest.mark.parametrize("pooling", ["cls", "max", "lasttoken", "weightedmean", "mean_sqrt_len_tokens"])
def test_the_reference_pools_by_itself(texts: Workspace, tiny_encoder: Write, pooling: Any) -> None:
    """A single text needs no mask. Options are not known to the library."""
    found = curate.doctor(texts, encoder=str(tiny_encoder()), pooling=pooling, query_prompt="ask: ", queries=4)
    assert colours(found, REFERENCE, LIBRARY, kind="encoder") == ["green", "not applicable"]
    assert colours(found, "query and passage swapped", kind="encoder") != ["not applicable"]


def test_passages_that_an_encoder_cuts_are_yellow(texts: Workspace, tiny_encoder: Write) -> None:
    """The line counts passages and queries, and names the option."""
    folder = str(tiny_encoder())
    found = checks(curate.doctor(texts, encoder=folder, passage_max_length=16, query_max_length=8), "encoder")
    cut = found["truncation"]
    assert (cut.colour, cut.figures["cut"]) == ("yellow", SIZE)
    assert (cut.figures["queries_cut"], cut.figures["ends_cut"]) == (SIZE, 0)
    assert "--passage-max-length" in cut.do


def test_an_encoder_whose_end_token_is_cut_is_red(
    texts: Workspace, tiny_encoder: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pooling the last token reads a word then, in place of the token that was trained for it."""
    tokenize = Encoder.tokenize

    def plain(self: Encoder, rows: list[str], side: Any, *_: Any) -> Any:
        found = tokenize(self, rows, side)
        shorter = {
            name: Ragged.of([row[:-1] if len(row) == 16 else row for row in column])
            for name, column in found.columns.items()
        }
        return found._replace(columns=shorter)

    monkeypatch.setattr(Encoder, "tokenize", plain)
    found = curate.doctor(texts, encoder=str(tiny_encoder()), passage_max_length=16, queries=4)
    assert colours(found, "truncation", kind="encoder") == ["red"]


# The machine.


def test_each_fault_of_a_machine_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Little memory, a full disk, more threads than CPUs, a device that is not there or computes wrong numbers."""
    gib = 1 << 30
    assert [machine.memory(free).colour for free in (gib // 4, gib, 4 * gib)] == ["red", "yellow", "green"]
    assert [machine.disk(tmp_path, free).colour for free in (gib // 16, gib, 4 * gib)] == [
        "red",
        "yellow",
        "green",
    ]
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0))
    assert [machine.threads(4, cpus).colour for cpus in (2, 4)] == ["yellow", "green"]
    monkeypatch.setattr("os.getloadavg", lambda: (9.0, 0.0, 0.0))
    assert machine.threads(4, 4).colour == "yellow"
    monkeypatch.setattr("curate.models.machine._error", lambda _where: float("nan"))
    assert machine.torch_checks()[0].colour == "red"
    monkeypatch.setenv("CURATE_DEVICE", "mps")
    (device,) = machine.torch_checks()
    assert (device.colour, "this machine has no mps" in device.found) == ("red", True)


def test_memory_that_holds_copies_of_files_is_free(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A container counts them as used, and gives them back when memory is needed."""
    (tmp_path / "meminfo").write_text(f"MemAvailable: {9 << 20} kB\n", "ascii")
    files = {
        "max": str(5 << 30),
        "current": str(5 << 30),
        "stat": f"active_file {1 << 30}\ninactive_file {2 << 30}",
    }
    for name, content in files.items():
        (tmp_path / f"memory.{name}").write_text(f"{content}\n", "ascii")
    monkeypatch.setattr(machine, "MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    assert machine.memory().figures["free"] == 3 << 30
    (tmp_path / "memory.max").write_text("max\n", "ascii")
    assert machine.memory().figures["free"] == 9 << 30


def test_a_library_that_is_missing_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    """An extra is only told."""
    monkeypatch.setattr(machine, "LIBRARIES", ("numpy", "nosuchlibrary"))
    found = machine.libraries()
    assert (found.colour, found.do) == ("red", "pip install nosuchlibrary")
    monkeypatch.setattr(machine, "LIBRARIES", ("numpy",))
    assert machine.libraries().colour == "green"


def test_faiss_that_crashes_or_is_there_twice_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs in a process of its own, because a crash takes the process with it."""
    assert machine.faiss({}).colour == "not applicable"
    assert machine.faiss({"faiss": ["faiss-cpu", "faiss-gpu"]}).colour == "red"
    assert machine.faiss().colour == "green"
    for program, told in (
        ("import os; os.abort()", "ended with code -6"),
        ("raise SystemExit(9)", "other passages"),
    ):
        monkeypatch.setattr(machine, "FAISS", program)
        found = machine.faiss()
        assert (found.colour, told in found.found) == ("red", True)


# The command.


def test_nothing_is_written(
    own_texts: Workspace, tiny_cross_encoder: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even the catalogue, which other commands refresh."""
    shutil.copytree(tiny_cross_encoder(), own_texts.root / "models" / "cross-encoder")

    def files() -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(own_texts.root.rglob("*"))}

    before = files()
    monkeypatch.chdir(own_texts.root)
    assert run(["-q", "doctor", "--queries", "3"]) in (0, 7)
    assert files() == before


def test_without_a_model_those_of_the_workspace_are_examined(
    own_texts: Workspace, tiny_cross_encoder: Write, tiny_encoder: Write
) -> None:
    """The default scorer is that of `curate denoise`, the encoder that of `[mine]` or of the newest dense run."""
    assert [subject.kind for subject in curate.doctor(own_texts).subjects] == ["machine"]
    shutil.copytree(tiny_cross_encoder(), own_texts.root / "models" / "cross-encoder")
    curate.mine(own_texts, retriever="dense", encoder=str(tiny_encoder()))
    found = curate.doctor(own_texts, queries=2)
    assert [subject.kind for subject in found.subjects] == ["machine", "scorer", "encoder"]
    assert [subject.kind for subject in examine(own_texts, "models/cross-encoder", queries=2).subjects][1:] == [
        "scorer"
    ]


def test_the_exit_code_and_the_lines_tell_red(
    texts: Workspace,
    tiny_cross_encoder: Write,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A scorer without weights is refused. The line says what to do, in 80 columns."""
    monkeypatch.chdir(texts.root)
    monkeypatch.setenv("COLUMNS", "80")
    folder = tiny_cross_encoder()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert run(["-q", "doctor", "--scorer", str(folder)]) == 7
    shown = capsys.readouterr().out
    assert "red" in shown
    assert "why: a model that is read otherwise" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert run(["-q", "doctor", "--scorer", str(folder), "--json"]) == 7
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "curate.diagnosis/2"
    assert told["subjects"][1]["checks"][0]["colour"] == "red"


def test_a_sound_server_has_the_exit_code_0(
    texts: Workspace, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Yellow lines do not change it."""
    server.logit = lambda query, passage: overlap(query, passage) + 0.2 * query.startswith("where")
    monkeypatch.chdir(texts.root)
    assert run(["-q", "doctor", "--scorer", f"{server.address}#org/judge"]) == 0
    assert "Nothing is wrong" in capsys.readouterr().out


def test_outside_a_workspace_only_the_machine_is_examined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model needs texts."""
    monkeypatch.chdir(tmp_path)
    assert run(["-q", "doctor", "--json"]) == 0
    assert [subject["kind"] for subject in json.loads(capsys.readouterr().out)["subjects"]] == ["machine"]
    assert run(["-q", "doctor", "--scorer", "x"]) == 2
    with pytest.raises(NoWorkspace, match="on the texts of a workspace"):
        curate.doctor(None, scorer="x")


def test_without_texts_the_next_command_is_named(
    tmp_path: Path, make_workspace: Make, tiny_cross_encoder: Write
) -> None:
    """Passages first, then queries."""
    folder = tiny_cross_encoder()
    with pytest.raises(StepMissing, match=r"holds no passages yet\. Run: curate load COLLECTION"):
        examine(Workspace.create(tmp_path / "empty"), folder)
    with pytest.raises(StepMissing, match=r"holds no queries yet\. Run: curate load --queries FILE"):
        examine(make_workspace(PASSAGES, {}), folder)
    with pytest.raises(BadSettings, match="queries = 0"):
        examine(Workspace.create(tmp_path / "other"), folder, queries=0)


def test_a_model_without_any_score_has_one_red_line(texts: Workspace) -> None:
    """The other checks would have nothing to look at."""
    silent = exam(texts, lambda rows: [float("nan")] * len(rows))
    (found,) = stage._checks(silent, stage.READ, SILENT)
    assert (found.name, found.colour) == ("different scores", "red")


def test_an_instruction_is_not_known_to_the_library(texts: Workspace, tmp_path: Path) -> None:
    """It would compare with other words."""
    folder = write_causal(tmp_path / "qwen", template=RERANK)
    found = examine(texts, folder, instruction="Find a contradiction", queries=2)
    assert colours(found, REFERENCE, LIBRARY) == ["green", "not applicable"]


def test_options_that_do_not_suit_the_model_are_refused(texts: Workspace, tiny_cross_encoder: Write) -> None:
    """They are the user's mistake, not the model's fault."""
    with pytest.raises(BadSettings, match="single logit"):
        examine(texts, tiny_cross_encoder(), relevant_class="yes")
    with pytest.raises(BadSettings, match="pooling: no encoder is examined here"):
        examine(texts, "models/scorer", pooling="mean")
    with pytest.raises(BadSettings, match="max_length: no scorer is examined here"):
        curate.doctor(texts, encoder="models/encoder", max_length=64)


def test_an_option_of_a_model_that_is_not_there_is_refused(make_workspace: Make) -> None:
    """The workspace uses no encoder, so that the pooling would be ignored."""
    with pytest.raises(BadSettings, match="pooling: no encoder is examined here"):
        curate.doctor(make_workspace({"p": "text"}, {"q": "?"}), pooling="mean")


def test_the_plain_text_has_every_check(texts: Workspace) -> None:
    """`text()` is what Python prints."""
    found = curate.doctor(texts)
    assert found.text().endswith(found.verdict)
    assert all(check.found in found.text() for subject in found.subjects for check in subject.checks)


def test_a_model_that_shows_no_token_may_have_no_words(make_workspace: Make) -> None:
    """Texts without spaces have no last word to change, which is no sign of health."""
    words = {f"p{at}": chr(0x4E00 + at) * 5 for at in range(SIZE)}
    asked = exam(make_workspace(words, QUERIES, qrels=QRELS), each(overlap))
    assert reading.truncation(asked).colour == "not applicable"
    assert judgement.one_word(asked).colour == "not applicable"
