"""The README.md of an export: everything that a person who receives only the folder needs to know."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from curate import judges
from curate.counted import counted
from curate.cutoffs import cutoffs_in_words
from curate.export.formats import Config

if TYPE_CHECKING:
    from curate.export.request import ExportRequest

FIGURES = {
    "queries": "queries with a positive",
    "queries_pseudo_labelled": "- unlabeled queries with a pseudo-label",
    "queries_unlabeled": "unlabeled queries that were mined",
    "queries_short": "queries with fewer negatives than requested",
    "queries_without_negatives": "queries without negatives",
    "queries_left_out": "queries left out, because this format needs at least one negative",
    "queries_leaked": "queries left out, because dev or test contains the same query",
    "positives": "positives",
    "positives_qrels": "- from qrels",
    "positives_annotation": "- from annotations",
    "positives_promoted": "- promoted false negatives",
    "positives_pseudo": "- pseudo-labels",
    "positives_of_one_query": "the most positives of one query",
    "positives_left_out": "positives left out, because their query has more than the limit",
    "positives_repeated": "positives with the text of another positive of the query (no row of their own)",
    "candidates": "candidates in the runs' top-k",
    "candidates_positive": "- labelled positives",
    "candidates_unscored": "- unscored (nobody knows whether they are relevant, so they are never negatives)",
    "candidates_judged": "- with a verdict of people, of the scorer, or by their text",
    "candidates_judged_irrelevant": "candidates that people judged not relevant (hard negatives)",
    "candidates_unjudged": "unjudged candidates, about which the scorer or their text decided",
    "candidates_denoised": "unjudged candidates that were denoised, because they are not hard negatives",
    "candidates_false_negative": "- false negatives (probability above the upper cutoff)",
    "candidates_pseudo_positive": "- pseudo-positives (the same, but for a query without labels)",
    "candidates_uncertain": "- uncertain (probability between the cutoffs)",
    "candidates_duplicate": "- duplicates of a positive",
    "candidates_hard_negative": "hard negatives, by the scorer or by people",
    "negatives": "hard negatives drawn for the queries with a positive",
}

CARD = """\
# {name}

A training set for dense retrievers, curated with RocketQA's procedure: {rows} rows in the format `{format}`
({trainers}).

## Load

{loading}

## How it was made

{runs}
- Scorer: {scorer}.
- Positives: {positives}.
- Negatives: up to {negatives} per query, drawn from its safe hard negatives by a hash of the seed {seed}, the
  query id and the passage id. A safe hard negative was judged not relevant by people, or else scored below the
  cutoff; those that people judged come first. A row with too few negatives stays short; unscored passages never
  fill the gap.{stopped}
- {false_negatives}
- {pseudo}
- Dev and test queries are never included.

## Figures

{figures}

## Provenance

Each positive has a `positive_source` (qrels, annotation, promoted, pseudo), and each negative a `negative_source`
(run, retriever, rank). Both have the scorer's probability if they were scored. `manifest.json` holds the settings,
the runs, the digests of all inputs and the sha256 of every file.

## Licence

The texts come from the curated collection and keep its licence.
"""


def card(request: "ExportRequest", manifest: Mapping[str, Any], configs: Mapping[str, Config]) -> str:
    """Return the dataset card as Markdown, with the YAML block that `datasets` reads."""
    settings = manifest["settings"]
    text = CARD.format(
        name=request.name,
        rows=f"{manifest['rows']:,}",
        format=request.format.name,
        trainers=request.format.trainers,
        loading=_loading(request, configs, next(name for name, of in manifest["files"].items() if of["training"])),
        runs="\n".join(_runs(manifest["runs"])),
        scorer=_scorer(settings["cutoffs"]),
        negatives=settings["negatives"],
        seed=settings["seed"],
        stopped=_stopped(settings["cutoffs"], manifest["runs"]),
        positives=_positives(settings["positives"]),
        false_negatives=_false_negatives(settings["promote"], manifest["figures"]),
        pseudo=_pseudo_labels(settings["augmented"], manifest["figures"]),
        figures="\n".join(_figures(manifest["figures"])),
    )
    return "\n".join([*_front_matter(configs), text])


def _stopped(cutoffs: Mapping[str, Any], runs: list[Mapping[str, Any]]) -> str:
    """Return a sentence about scoring that stopped early, because the figures below are then no shares of all."""
    if not cutoffs.get("enough") or all(run["split"] != "train" for run in runs):
        return ""
    return (
        f"\n- Scoring of a train query stopped at {counted(cutoffs['enough'], 'safe hard negatives')}; what lies "
        "deeper in its list is\n  mostly unscored. The denoised candidates are therefore no share of all."
    )


def _positives(limit: int | None) -> str:
    if limit is None:
        return "all of each query"
    return f"up to {limit} per query, those of people first, and otherwise drawn by hash"


def _false_negatives(promoted: bool, figures: Mapping[str, int]) -> str:
    count = figures.get("candidates_false_negative", 0)
    if not count:
        return "The scorer found no false negative among the candidates."
    what = counted(count, "candidates are false negatives", "candidate is a false negative")
    return f"{what}: {'an extra positive' if promoted else 'dropped, and never a negative'}."


def _pseudo_labels(augmented: bool, figures: Mapping[str, int]) -> str:
    labelled, mined = figures.get("queries_pseudo_labelled", 0), figures.get("queries_unlabeled", 0)
    if not augmented:
        return "Unlabeled queries are not included, whether they have a pseudo-label or not (`--no-augmented`)."
    if labelled:
        return f"{labelled:,} of the queries had no label, and are included with a pseudo-label."
    if mined:
        return f"None of the {mined:,} unlabeled queries that were mined got a pseudo-label, so none is included."
    return "No unlabeled query was mined, so there are no pseudo-labels."


def _loading(request: "ExportRequest", configs: Mapping[str, Config], file: str) -> str:
    """Return instructions for loading the folder, with its configurations."""
    folder = f"exports/{request.name}"
    lines = [request.format.loading.format(folder=folder, file=file)]
    further = [name for name in configs if name.startswith("negatives-")]
    same = [name for name in further if configs[name] == configs["default"]]
    if same:
        lines.append(f"No row has all {request.settings['negatives']} negatives, so the default is `{same[0]}`.")
    shorter = [name for name in further if name not in same]
    if shorter:
        lines.append(
            f"Rows with fewer negatives are in `{'`, `'.join(shorter)}` (`negatives-0` holds pairs), each\n"
            "with its `provenance-...`. SentenceTransformerTrainer takes sets of different widths as a\n"
            "dictionary:\n"
            f'```python\nshort = load_dataset("{folder}", "{shorter[0]}", split="train")\n'
            'train_dataset = {"rows": rows, "short": short}\n```'
        )
    return "\n".join(lines)


def _scorer(cutoffs: Mapping[str, Any]) -> str:
    if judges.are_several(cutoffs):
        return _several(cutoffs)
    print_ = (cutoffs["scorer_fingerprint"] or "unknown")[:16]
    calibrated = f"calibrated: sigmoid({cutoffs['a']:g} ln s(x) - {cutoffs['b']:g} ln s(-x) + {cutoffs['c']:g})"
    scale = f"{calibrated}, s the sigmoid, x the logit" if cutoffs["calibration_id"] else "sigmoids of the logits"
    return (
        f"`{cutoffs['scorer_id']}` (fingerprint `{print_}`) for the top {cutoffs['depth']}; cutoffs "
        f"`{cutoffs['name']}`: {cutoffs_in_words(cutoffs)}, all strict; probabilities are {scale}"
    )


def _several(cutoffs: Mapping[str, Any]) -> str:
    how, scales = cutoffs["joined"], judges.calibrations(cutoffs)
    named = []
    for (scorer, calibration), print_ in zip(scales.items(), judges.fingerprints(cutoffs), strict=True):
        scale = f"calibrated by {calibration}" if calibration else "not calibrated"
        named.append(f"`{scorer}` (fingerprint `{(print_ or 'unknown')[:16]}`, {scale})")
    return (
        f"{' and '.join(named)}, joined by `{how}` ({judges.JOINS[how]}), for the top {cutoffs['depth']}; cutoffs "
        f"`{cutoffs['name']}`: {cutoffs_in_words(cutoffs)}, all strict"
    )


def _front_matter(configs: Mapping[str, Config]) -> list[str]:
    lines = ["---", "configs:"]
    for name, config in configs.items():
        lines.append(f"- config_name: {name}")
        lines += [f"  description: {config.description}"] if config.description else []
        lines += ["  data_files:", f"  - split: {config.split}", f"    path: {config.files}"]
    return [*lines, "---"]


def _runs(runs: list[Mapping[str, Any]]) -> list[str]:
    return [
        f"- Run `{run['run_id']}`: {run['retriever']} over {run['split']}, top {run['depth']}"
        + (f", encoder `{run['model_id']}`" if run["model_id"] else "")
        + (f", union of {', '.join(run['sources'])}" if run["sources"] else "")
        for run in runs
    ]


def _figures(figures: Mapping[str, int]) -> list[str]:
    rows = [f"| {label} | {figures[name]:,} |" for name, label in FIGURES.items() if name in figures]
    return ["| what | count |", "| --- | ---: |", *rows]
