"""The README.md of an export: what a person needs who gets the folder and nothing else."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curate.export.request import ExportRequest

FIGURES = {
    "queries": "queries with a positive",
    "queries_pseudo_labelled": "of them unlabeled queries with a pseudo-label",
    "queries_unlabeled": "unlabeled queries that were mined",
    "queries_short": "queries with fewer negatives than asked for",
    "queries_without_negatives": "queries without any negative",
    "queries_left_out": "queries left out, because this format cannot hold them without a negative",
    "queries_leaked": "queries left out, because dev or test ask the same",
    "positives": "positives",
    "positives_qrels": "of them from qrels",
    "positives_annotation": "of them from annotations",
    "positives_promoted": "of them promoted: false negatives that became positives",
    "positives_pseudo": "of them pseudo-labels",
    "positives_repeated": "positives whose text the query has already (they make no row of text)",
    "candidates": "candidates in the judged top-k of the runs",
    "candidates_positive": "of them labelled positives",
    "candidates_unscored": "of them unscored: nobody knows, so no negatives",
    "candidates_judged": "of them judged",
    "candidates_denoised": "of the judged ones denoised: no hard negatives",
    "candidates_false_negative": "- false negatives (probability above the upper cutoff)",
    "candidates_pseudo_positive": "- pseudo-positives (the same, for a query without labels)",
    "candidates_uncertain": "- uncertain (between the cutoffs)",
    "candidates_duplicate": "- duplicates of a positive",
    "candidates_hard_negative": "of the judged ones hard negatives",
    "negatives": "hard negatives drawn, for the queries with a positive",
}

CARD = """\
# {name}

A training set for dense retrievers, curated by RocketQA's procedure: {rows} rows in the format `{format}`
({trainers}).

## Load

{loading}

## How it was made

{runs}
- Judge: {judge}.
- Negatives: up to {negatives} a query, drawn by a hash of seed {seed}, query id and passage id from its
  safe hard negatives: scored below the cutoff, or judged not relevant by people. A row with too few stays short;
  unscored passages never fill it.
- False negatives {false_negatives}. Pseudo-labelled queries are {pseudo}. Dev and test queries never are.

## Figures

{figures}

## Provenance

Each positive has its `positive_source` (qrels, annotation, promoted, pseudo), each negative its `negative_source`
(run, retriever, rank); both have the judge's probability, where it has scored them. `manifest.json` has the
settings, the runs, the digests of all that was read and the sha256 of every file.

## Licence

The texts are those of your collection, and so is their licence.
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
        judge=_judge(settings["cutoffs"]),
        negatives=settings["negatives"],
        seed=settings["seed"],
        false_negatives="are extra positives" if settings["promote"] else "are dropped",
        pseudo="in it" if settings["augmented"] else "not in it",
        figures="\n".join(_figures(manifest["figures"])),
    )
    return "\n".join([*_front_matter(configs), text])


def _loading(request: "ExportRequest", configs: Mapping[str, str]) -> str:
    """Return how the folder is loaded, with the configurations that it has."""
    folder = f"exports/{request.name}"
    lines = [request.format.loading.format(folder=folder)]
    further = [name for name in configs if name.startswith("negatives-")]
    same = [name for name in further if configs[name] == configs["default"]]
    if same:
        lines.append(f"No row has all {request.settings['negatives']} negatives: the default is `{same[0]}`.")
    shorter = [name for name in further if name not in same]
    if shorter:
        lines.append(
            f"Rows with fewer negatives (`negatives-0`: pairs): `{'`, `'.join(shorter)}`, each with its\n"
            "`provenance-...`. SentenceTransformerTrainer takes sets of different width as a dictionary:\n"
            f'```python\nshort = load_dataset("{folder}", "{shorter[0]}", split="train")\n'
            'train_dataset = {"rows": rows, "short": short}\n```'
        )
    return "\n".join(lines)


def _judge(cutoffs: Mapping[str, Any]) -> str:
    print_ = (cutoffs["scorer_fingerprint"] or "unknown")[:16]
    return (
        f"`{cutoffs['scorer_id']}` (fingerprint `{print_}`) over the top {cutoffs['depth']}; cutoffs "
        f"`{cutoffs['name']}`: negative below {cutoffs['negative_below']:g}, false negative above "
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
        + (f", uniting {', '.join(run['sources'])}" if run["sources"] else "")
        for run in runs
    ]


def _figures(figures: Mapping[str, int]) -> list[str]:
    rows = [f"| {label} | {figures[name]:,} |" for name, label in FIGURES.items() if name in figures]
    return ["| what | count |", "| --- | ---: |", *rows]
