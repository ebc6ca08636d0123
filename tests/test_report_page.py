"""The page and the Markdown of `curate report`: figures of the rows, harmless texts, nothing from elsewhere."""

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_world import CUTS, PASSAGES, PROBABILITIES, QUERIES, add_scores, make

from curate import Workspace
from curate.cli.main import run
from curate.cutoffs import set_cutoffs
from curate.jobs import Job
from curate.reports import answers, report_rows
from curate.reports.comparison import compare
from curate.reports.comparison_document import comparison_document
from curate.reports.document import Bar, Bars, Chart, Histogram, Line, Lines, Tile
from curate.reports.figures import between, number, percent
from curate.reports.html import html
from curate.reports.markdown import markdown
from curate.reports.overview_document import document
from curate.reports.report_rows import Overview
from curate.reports.svg import svg
from curate.reports.training import training_curves

VOID = ("meta", "br", "link", "img", "input")
HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)> {{ 7 * 7 }} \x1b[31mred\x1b]8;;http://x\x07 "
    "\u202egnp.exe\u2066 مرحبا بالعالم 👩\u200d🔬 @team #17 www.evil.org [a](javascript:b) | `code` ``` **bold** "
    "<!-- "
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace that the tests share: each sets cutoffs of its own, and nothing else."""
    return make(tmp_path_factory.mktemp("page") / "set")


@pytest.fixture(scope="module")
def overview(workspace: Workspace) -> Overview:
    return report_rows.overview(workspace)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace whose passages, queries and ids try to break out."""
    passages = {f"{name}{HOSTILE}": f"{text} {HOSTILE}" for name, text in list(PASSAGES.items())[1:]}
    long = next(iter(passages))
    passages[long] += "x" * 1_000_000
    queries = {name: f"{text} {HOSTILE}" for name, text in QUERIES.items()}
    return make(tmp_path_factory.mktemp("hostile") / "set", {"p0": PASSAGES["p0"], **passages}, queries)


@pytest.fixture(scope="module")
def hostile_overview(hostile: Workspace) -> Overview:
    return report_rows.overview(hostile)


class Page(HTMLParser):
    """The elements of a page, its tables, and the ids that its links lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.open: list[str] = []
        self.text: dict[str, str] = {}
        self.caption = ""
        self.feed(text)
        assert self.open == [], "an element is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.rows: list[list[str]] = []
            self.caption = ""
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "table":
            self.tables[self.caption] = self.rows

    def handle_data(self, data: str) -> None:
        inside = self.open[-1] if self.open else ""
        self.text[inside] = self.text.get(inside, "") + data
        if inside == "caption":
            self.caption += data
        if inside in ("th", "td"):
            self.rows[-1][-1] += data


def page_of(overview: Overview, warnings: Iterable[str] = ()) -> str:
    return html(document(overview, list(warnings)))


def assert_it_needs_nothing(page: Page, text: str) -> None:
    """Check that nothing is loaded and nothing runs, and that the policy would forbid it."""
    allowed = {"html", "head", "meta", "title", "style", "body", "header", "main", "section", "nav", "article"}
    allowed |= {
        "p",
        "h1",
        "h2",
        "h3",
        "div",
        "span",
        "strong",
        "dl",
        "dt",
        "dd",
        "ul",
        "li",
        "a",
        "figure",
        "mark",
    }
    allowed |= {"table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary", "blockquote"}
    allowed |= {"svg", "desc", "text", "rect", "line", "path", "circle", "polygon"}
    assert set(page.tags) <= allowed
    assert not [
        name for _, name, _ in page.attributes if name.startswith("on") or name in ("style", "src", "srcset")
    ]
    targets = [value for tag, name, value in page.attributes if (tag, name) == ("a", "href")]
    assert targets == [f"#{value}" for tag, name, value in page.attributes if (tag, name) == ("section", "id")]
    style = page.text["style"]
    assert "url(" not in style
    assert "@import" not in style
    policy = next(value for tag, name, value in page.attributes if (tag, name) == ("meta", "content"))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert text.index("Content-Security-Policy") < text.index("<style>")


def test_the_page_has_the_figures_of_the_rows(overview: Overview) -> None:
    """The same ones that `--json` prints."""
    rows = overview.json()["reports"]
    page = Page(page_of(overview))
    _, *shown = page.tables["False negatives and denoised candidates by range of ranks"]
    assert shown == [
        [
            str(row["first_rank"])
            if row["first_rank"] == row["last_rank"]
            else f"{row['first_rank']}-{row['last_rank']}",
            number(row["unjudged"]),
            percent(row["false_negative_rate"]),
            between(row, "false_negative"),
            percent(row["denoised_rate"]),
            number(row["unscored"]),
        ]
        for row in rows["denoised_by_rank"]["rows"]
    ]
    _, *shown = page.tables["The steps from candidates to hard negatives, in pairs and then in queries"]
    assert [row[1] for row in shown] == [number(row["number"]) for row in rows["funnel"]["rows"]]
    headline = rows["headline"]["rows"][0]
    assert percent(headline["false_negative_rate"]) in page.text["p"]
    assert between(headline, "false_negative") in page.text["p"]


def test_the_first_screen_says_whether_the_answer_can_be_trusted(overview: Overview) -> None:
    """One candidate is unscored, nothing is calibrated, and every labelled positive is recognised."""
    found = document(overview)
    state = {tile.title: tile.state for tile in found.tiles}
    assert state["Calibration in force"] == "care"
    assert state["Left unscored"] == "care"
    assert state["Labelled positives that it recognises"] == "good"
    assert found.trust.startswith(
        "With care. See: Is the judge better than the retriever?; Hidden positives that denoising finds; "
        "Left unscored;"
    )
    assert all(tile.advice for tile in found.tiles if tile.state in ("care", "bad", "unknown"))


def test_the_page_needs_no_script_and_nothing_from_elsewhere(overview: Overview) -> None:
    """Its policy allows its own style alone."""
    text = page_of(overview, ["a warning"])
    assert_it_needs_nothing(Page(text), text)


def test_every_chart_has_a_title_a_description_and_its_data_as_a_table(overview: Overview) -> None:
    """For those who cannot see it."""
    text = page_of(overview)
    page = Page(text)
    charts = re.findall(r"<figure><svg.*?</svg></figure>\s*(?:<details>.*?)?<table", text, re.DOTALL)
    assert len(charts) == page.tags.count("svg") == page.tags.count("desc") > 5
    named = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-labelledby")]
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {one for names in named for one in (names or "").split()} <= set(ids)


def test_a_report_without_a_section_of_its_own_is_the_first_section(overview: Overview) -> None:
    """So a new report needs no code to be on the page."""
    new = report_rows.Report(
        "brand_new", {}, {}, [{"what": "relevant", "share": 0.25, "low": 0.2, "labels": 1200}]
    )
    page = Page(page_of(report_rows.Overview({**overview.reports, "brand_new": new}, None)))
    assert page.tables[""][:2] == [["what", "share", "low", "labels"], ["relevant", "0.25", "0.2", "1,200"]]
    assert next(value for tag, name, value in page.attributes if (tag, name) == ("section", "id")) == "brand_new"


def test_the_same_workspace_gives_the_same_bytes(workspace: Workspace, overview: Overview) -> None:
    """No clock is on the page but the times on record."""
    again = report_rows.overview(workspace)
    assert page_of(again) == page_of(overview)
    assert markdown(document(again)) == markdown(document(overview))


def test_hostile_texts_are_harmless_on_the_page(hostile_overview: Overview) -> None:
    """They are text, short, and control nothing."""
    text = page_of(hostile_overview, [HOSTILE.replace("\x1b", "")])
    page = Page(text)
    assert_it_needs_nothing(page, text)
    assert "<script>alert(1)</script>" in page.text["blockquote"] + page.text["h3"]
    assert "49" not in page.text["h3"]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", text)
    assert "\\x1b[31mred" in page.text["h3"]
    assert "مرحبا" in page.text["h3"]
    assert "👩\u200d🔬" in page.text["h3"]
    assert len(text.encode()) < 500_000


def test_hostile_texts_are_harmless_in_markdown(hostile_overview: Overview) -> None:
    """They stand in code spans, or with every special character escaped; nobody is mentioned."""
    text = markdown(document(hostile_overview))
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", text)
    for line in text.splitlines():
        outside = re.sub(r"(?<!\\)(`+)(?!`).*?(?<!`)\1(?!`)", "", line)
        assert not re.search(r"(?<!\\)<(?!!-- -->)", outside), line
        assert not re.search(r"(?<!\w)[@#]\w", outside), line
        assert not re.search(r"(?<!\\)\[", outside), line
        assert len(line) < 20_000
    rows = [line for line in text.splitlines() if line.startswith("|")]
    heads = [len(re.findall(r"(?<!\\)\|", line)) for line in rows]
    assert all(bars > 2 for bars in heads)


def test_hostile_texts_are_whole_in_json_and_harmless_in_a_terminal(
    hostile: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Programs get what was loaded."""
    assert run(["-C", str(hostile.root), "report", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["reports"]["suspects"]["rows"]
    assert any(HOSTILE in row["passage"] for row in rows)
    assert run(["-C", str(hostile.root), "report"]) == 0
    shown = capsys.readouterr().out
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)


def test_words_that_query_and_passage_share_are_marked(overview: Overview) -> None:
    """On the page by an element that also print shows, in Markdown in bold."""
    text = page_of(overview)
    assert "<mark>tower</mark>" in text
    assert "**`tower`**" in markdown(document(overview))


def test_a_workspace_without_scores_has_a_page_that_says_so(tmp_path: Path) -> None:
    """And names the next command, at each step."""
    empty = Workspace.create(tmp_path / "empty")
    assert "curate load COLLECTION" in page_of(report_rows.overview(empty))
    workspace = make(tmp_path / "set")
    set_cutoffs(workspace, "new", scorer_id="nobody", **CUTS)  # type: ignore[arg-type]
    text = html(document(report_rows.overview(workspace, cutoffs="new")))
    assert "Nothing is known yet" in text
    assert "curate denoise --run bm25-train --cutoffs new" in Page(text).text["p"]
    assert "<svg" in text  # the funnel still counts candidates
    assert "NaN" not in text


def test_joined_judges_have_a_page_that_says_how_to_measure_each(tmp_path: Path) -> None:
    """The page measures none of them alone."""
    workspace = make(tmp_path / "set")
    add_scores(workspace, "other", PROBABILITIES)
    set_cutoffs(workspace, "both", scorer=["judge", "other"], join="mean")
    text = Page(html(document(report_rows.overview(workspace, cutoffs="both")))).text["p"]
    assert "curate report judge --scorer judge; curate report judge --scorer other" in text


def test_a_page_says_where_scoring_stopped_early(workspace: Workspace) -> None:
    """--enough leaves no share of all."""
    set_cutoffs(workspace, "few", enough=1)
    found = document(report_rows.overview(workspace, cutoffs="few"))
    assert found.answer.startswith("10 of the 47 unlabelled candidates that were scored. Scoring stopped early")
    assert "scoring stopped early" in html(found)


def test_a_training_shows_its_curve(tmp_path: Path) -> None:
    """A line that a kill has cut is left out."""
    workspace = Workspace.create(tmp_path / "set")
    job = Job(workspace, "train", "train-judge")
    job.finish()
    log = workspace.root / "models" / "judge.log.jsonl"
    log.parent.mkdir()
    lines = [
        {"step": 10, "loss": 2.5, "rows": 8, "won": 2, "seconds": 1.0},
        {"step": 20, "loss": 1.5, "rows": 8, "won": 6, "seconds": 1.0},
        {"step": 20, "dev_mrr_10": 0.7},
    ]
    log.write_text("\n".join([*map(json.dumps, lines), '{"step": 30, "lo']))
    rows = training_curves(workspace, [{"stage": "train", "job": "train-judge"}])
    assert [(row["step"], row["loss"], row["won"], row["dev"]) for row in rows] == [
        (10, 2.5, 0.25, None),
        (20, 1.5, 0.75, 0.7),
    ]


def test_a_comparison_has_a_page(workspace: Workspace) -> None:
    """It says what differs, and whether that is more than chance."""
    set_cutoffs(workspace, "strict", positive_above=0.96)
    found = comparison_document(compare(workspace, ("default", "strict")))
    assert "21.3 % by default, 0.0 % by strict (difference -21.3 points" in found.answer
    assert found.answer.endswith("This is more than chance.")
    text = html(found)
    assert_it_needs_nothing(Page(text), text)
    assert "| false negatives | 21.3 % | 0.0 % | -21.3 points |" in markdown(found)


def test_the_command_writes_each_form_by_its_suffix(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file appears whole, and what does not fit is refused."""
    at = ["-C", str(workspace.root), "report"]
    for name, begins in (("page.html", "<!doctype html>"), ("page.md", "# How many"), ("page.json", '{"schema"')):
        path = workspace.root / name
        assert run([*at, "--output", str(path)]) == 0
        assert path.read_text("utf-8").startswith(begins)
    assert run([*at, "-o", str(workspace.root / "page.txt")]) == 2
    assert run([*at, "-o", str(workspace.root / "page.md"), "--format", "html"]) == 2
    assert run([*at, "funnel", "--format", "html"]) == 2
    assert run([*at, "-o", str(workspace.root / "tables" / "page.html")]) == 2
    set_cutoffs(workspace, "strict", positive_above=0.96)
    capsys.readouterr()
    assert run([*at, "--compare", "default", "strict"]) == 0
    assert "false negatives" in capsys.readouterr().out
    assert run([*at, "--compare", "default", "strict", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "curate.comparison/2"


def test_charts_stand_every_value() -> None:
    """Nothing, one point, and shares of nought and one."""
    charts: list[Chart] = [
        Bars("t", "a", []),
        Bars("t", "a", [Bar("none", None, note="unknown"), Bar("0", 0.0, 0.0, 0.1), Bar("1", 1.0, 0.9, 1.0)]),
        Lines("t", "a", "x", "y", []),
        Lines("t", "a", "x", "y", [Line("one", [(1, 0.5)])], shares=False),
        Lines("t", "a", "x", "y", [Line("one", [(0.001, 0.5), (0.9, None)])], log_x=True, mark=0.1),
        Lines("t", "a", "x", "y", [Line("one", [(0.0, 0.5), (1e-7, 0.1), (0.9, math.nan)])], log_x=True),
        Lines("t", "a", "x", "y", [Line("one", [(0.0, 0.5)])], log_x=True),
        Histogram("t", "a", "x", [("nothing", [0.0] * 20)]),
    ]
    for chart in charts:
        assert "nan" not in svg(chart, "c").lower()
        Page(svg(chart, "c"))


def duplicates_alone(folder: Path) -> Overview:
    """Return the overview of a workspace without a score, in which p1 has the text of the positive p0."""
    workspace = make(folder, {**PASSAGES, "p1": PASSAGES["p0"]})
    set_cutoffs(workspace, "new", scorer_id="nobody", **CUTS)  # type: ignore[arg-type]
    return report_rows.overview(workspace, cutoffs="new")


def test_duplicates_alone_say_nothing_of_false_negatives(tmp_path: Path) -> None:
    """The text decided the 12 duplicates, the scorer nothing: a share of 0 % would be made up."""
    found = document(duplicates_alone(tmp_path / "set"))
    assert found.answer == (
        "Nothing is known yet: the scorer has decided about no candidate. 36 of 60 candidates are unscored."
    )
    tile = {tile.title: tile for tile in found.tiles}
    for title in ("False negatives in the top 5", "Without denoising"):
        assert (tile[title].value, tile[title].state) == ("unknown", "unknown")
    assert found.trust.startswith("Nobody knows yet. See: False negatives in the top 5; Without denoising;")


def test_the_answer_says_how_many_candidates_are_unscored(overview: Overview) -> None:
    """q0 has no score for p4."""
    found = document(overview)
    assert (
        "the scorer finds 10 relevant, of 47 candidates that nobody judged. 1 of 60 candidates is" in found.answer
    )


def test_what_is_left_to_train_on_says_nothing_of_the_answer() -> None:
    """What nobody knows comes first, and what speaks against the answer is named beside it."""
    left = Tile(answers.LEFT, "0 hard negatives", "", "bad")
    bad, unknown = Tile("bad one", "", "", "bad"), Tile("unknown one", "", "", "unknown")
    assert answers.trust([left]).startswith("As far as the labels tell, yes.")
    assert answers.trust([left, bad]) == "Not yet. See: bad one."
    assert answers.trust([bad, unknown]) == "Nobody knows yet. See: unknown one. Against it speaks: bad one."


def test_a_training_that_diverged_has_no_loss_there(tmp_path: Path) -> None:
    """A log may hold NaN and Infinity, which are no JSON and no place in a chart."""
    workspace = Workspace.create(tmp_path / "set")
    log = workspace.root / "models" / "judge.log.jsonl"
    log.parent.mkdir(exist_ok=True)
    log.write_text('{"step": 10, "loss": NaN, "rows": 8, "won": 2}\n{"step": 20, "dev_mrr_10": Infinity}\n')
    rows = training_curves(workspace, [{"stage": "train", "job": "train-judge"}])
    assert [(row["loss"], row["dev"]) for row in rows] == [(None, None), (None, None)]


def test_a_retriever_that_has_seen_the_queries_leaves_the_judge_better_than_chance_at_most() -> None:
    """Then the verdict is no comparison with the retriever."""
    row = {"judge_rr": 1.0, "retriever_rr": 0.5, "judge_auc": 0.9, "retriever_auc": 0.5, "positives": 1}
    rows = [{**row, "recognised": 1, "lost": 0, "retriever_has_seen": True}] * 40
    setting = {"depth": 5, "negative_below": 0.1, "positive_above": 0.9, "scorer_id": "judge"}
    found = {name: report_rows.Report(name, {}, setting, rows) for name in ("headline", "judge")}
    tile = answers._judge(found)
    assert (tile.value, tile.state) == ("better than chance; the retriever has seen these queries", "care")
    assert "by its AUC of 0.900" in tile.detail
