"""The README.md of an export: everything that a person who receives only the folder needs to know."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

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
- Negatives: up to {negatives} per query, drawn from its safe hard negatives by a hash of the seed {seed}, the
  query id and the passage id. A safe hard negative was scored below the cutoff, or judged not relevant by people.
  A row with too few negatives stays short; unscored passages never fill the gap.
- False negatives {false_negatives}. Pseudo-labelled queries are {pseudo}. Dev and test queries are never included.

## Figures

{figures}

## Provenance

Each positive has a `positive_source` (qrels, annotation, promoted, pseudo), and each negative a `negative_source`
(run, retriever, rank). Both have the scorer's probability if they were scored. `manifest.json` holds the settings,
the runs, the digests of all inputs and the sha256 of every file.

## Licence

The texts come from the curated collection and keep its licence.
"""


def card(request: "ExportRequest", manifest: Mapping[str, Any], configs: Mapping[str, str]) -> str:
    """Return the dataset card as Markdown, with the YAML block that `datasets` reads."""
    settings = manifest["settings"]
    text = CARD.format(
        name=request.name,
        rows=f"{manifest['rows']:,}",
        format=request.format.name,
        trainers=request.format.trainers,
        loading=_loading(request, configs),
        runs="\n".join(_runs(manifest["runs"])),
        scorer=_scorer(settings["cutoffs"]),
        negatives=settings["negatives"],
        seed=settings["seed"],
        false_negatives="are extra positives" if settings["promote"] else "are dropped",
        pseudo="included" if settings["augmented"] else "not included",
        figures="\n".join(_figures(manifest["figures"])),
    )
    return "\n".join([*_front_matter(configs), text])


def _loading(request: "ExportRequest", configs: Mapping[str, str]) -> str:
    """Return instructions for loading the folder, with its configurations."""
    folder = f"exports/{request.name}"
    lines = [request.format.loading.format(folder=folder)]
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
    print_ = (cutoffs["scorer_fingerprint"] or "unknown")[:16]
    return (
        f"`{cutoffs['scorer_id']}` (fingerprint `{print_}`) for the top {cutoffs['depth']}; cutoffs "
        f"`{cutoffs['name']}`: hard negative below {cutoffs['negative_below']:g}, false negative above "
        f"{cutoffs['positive_above']:g}, both strict"
    )


def _front_matter(configs: Mapping[str, str]) -> list[str]:
    if not configs:
        return []
    entries = [
        f"- config_name: {name}\n  data_files:\n  - split: train\n    path: {pattern}"
        for name, pattern in configs.items()
    ]
    return ["---", "configs:", *entries, "---"]


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
