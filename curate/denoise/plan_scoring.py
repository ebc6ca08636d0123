"""The plan of scoring: how many pairs are left, and how long they take on this machine."""

import time
from typing import Any

from curate import standing
from curate.counted import counted
from curate.cutoffs import CutoffOptions, are_set, as_set, named_cutoffs
from curate.denoise.quantized_scorer import is_to_quantize
from curate.denoise.rank_scores import ranks_to_score
from curate.denoise.score_job import first_waves, is_read
from curate.denoise.scoring import ScoredBy, Scoring, models_and_ranks
from curate.models.devices import times_as_fast
from curate.models.openvino_model import INT8
from curate.models.scorer import count_tokens
from curate.plan import Pace, Plan, tokens_of
from curate.workspace import Workspace

PROBE_PAIRS = 64


def plan_score(
    workspace: Workspace,
    stage: str,
    run_id: str,
    by: ScoredBy,
    cutoffs: str,
    **values: Any,
) -> Plan:
    """Return how many pairs the scorers `by` would score, how many tokens these have, and how long that takes.

    The time is that at each scorer's measured rate; ranks take none, and do not count. If every pair has its
    scores, the plan says whether the cutoffs `cutoffs` must still be set to `values`. If these have `enough`, the
    pairs are the most that there can be.
    """
    models, ranks = models_and_ranks(workspace, by)
    unwritten = sum(
        ranks_to_score(workspace, run_id, settings.depth, scorer) for scorer, settings in ranks.items()
    )
    to_quantize = {scorer for scorer, settings in models.items() if is_to_quantize(workspace, settings)}
    models = {
        scorer: settings.override(backend="openvino") if scorer in to_quantize else settings
        for scorer, settings in models.items()
    }
    scorings = [Scoring.of(workspace, run_id, settings) for settings in models.values()]
    only = {"scorer_id": scorings[0].scorer.scorer_id} if len(by) == len(scorings) == 1 else {}
    asked: CutoffOptions = {**only, **values}  # type: ignore[typeddict-item]
    left = {scoring: scoring.unscored for scoring in scorings}
    total = sum(block.pairs for scoring in scorings for block in scoring.blocks)
    notes = [*(f"scorer: {one.scorer.scorer_id}: {one.scorer.source.spec.text}" for one in scorings)]
    new = [one.scorer.is_new and not one.is_served for one in scorings]
    if any(settings.backend == "auto" and of_new for settings, of_new in zip(models.values(), new, strict=True)):
        notes.append("backend auto: the run decides by a measurement; this is the plan for torch")
    if to_quantize:
        notes.append(f"backend {INT8}: the run quantizes the scorer first; this is the plan for openvino")
    notes.append(f"run: {run_id}")
    if unwritten:
        notes.append(f"the ranks of {counted(unwritten, 'pairs')} become scores, too")
    if values.get("enough") and any(left.values()):
        not_needed = _not_needed(workspace, run_id, cutoffs, asked, scorings)
        left = {scoring: max(0, pairs - not_needed[scoring]) for scoring, pairs in left.items()}
        notes += [_in_any_case(workspace, scorings, values["enough"])] if any(left.values()) else []
    if pending := sum(left.values()):
        paces = {scoring: pace(scoring) for scoring, pairs in left.items() if pairs}
        seconds = sum(left[scoring] / found.per_second for scoring, found in paces.items())
        tokens = tokens_of((left[scoring], found) for scoring, found in paces.items())
        return Plan(stage, "pairs", total, total - pending, seconds, notes, tokens)
    if are_set(workspace, cutoffs, **asked):
        return Plan(stage, "pairs", total, total, 0.0, notes)
    return Plan(stage, "cutoffs", 1, 0, 0.0, [*notes, "every pair is already scored: only the cutoffs are set"])


def known_pace(workspace: Workspace, scorer_id: str | None) -> Pace | None:
    """Return how fast the scorer's largest job here was, which tells most; None without one."""
    newest_first = [record.facts for record in reversed(workspace.records("denoise"))]
    of_scorer = [facts for facts in newest_first if facts.get("scorer_id") == scorer_id]
    measured = [facts for facts in of_scorer if facts.get("pairs") and facts.get("scoring_seconds")]
    if not measured:
        return None
    largest = max(measured, key=lambda facts: int(facts["pairs"]))
    pairs, tokens = largest["pairs"], largest.get("tokens")
    return Pace(pairs / largest["scoring_seconds"], tokens / pairs if tokens else None)


def pace(scoring: Scoring) -> Pace:
    """Return how fast the scorer is, by its largest job here, or else measured on a few pairs of a block."""
    if known := known_pace(scoring.workspace, scoring.scorer.scorer_id):
        return known
    block = scoring.to_do[0]
    with scoring.reading([block]) as connection:
        rows = scoring.prepare(connection, block).rows[:PROBE_PAIRS]
    scoring.scorer.model.score(rows[:8])
    started = time.monotonic()
    scoring.scorer.model.score(rows)
    devices = times_as_fast(len(scoring.to_do)) if scoring.is_shared else 1
    per_second = devices * len(rows) / (time.monotonic() - started)
    return Pace(per_second, count_tokens(rows) / len(rows) or None)


def _not_needed(
    workspace: Workspace, run_id: str, name: str, asked: CutoffOptions, scorings: list[Scoring]
) -> dict[Scoring, int]:
    """Return how many of its unscored pairs each scorer need not score, by what is scored already."""
    row, known = as_set(workspace, name, **asked), dict.fromkeys(scorings, 0)
    if row != named_cutoffs(workspace, name):
        return known
    if is_read(workspace, run_id, row, [scoring.scorer.fingerprint for scoring in scorings]):
        return {scoring: scoring.unscored for scoring in scorings}
    return dict.fromkeys(scorings, standing.left_unscored(workspace, run_id, name))


def _in_any_case(workspace: Workspace, scorings: list[Scoring], enough: int) -> str:
    """Return a note about the pairs that are scored whichever queries have enough."""
    first = sum(
        Scoring(workspace, one.run_id, one.depth, one.scorer, wave).unscored
        for one in scorings
        for wave in first_waves(one.depth, enough)
    )
    are, few = counted(first, "pairs are", "pair is"), counted(enough, "hard negatives")
    return f"{are} scored in any case; the rest only for queries with fewer than {few}"
