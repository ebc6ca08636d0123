"""What the reports say in words: a title above, what the figures mean below, for people new to RocketQA."""

TITLES = {
    "funnel": "From candidates to hard negatives",
    "denoised_by_rank": "What denoising took away, by rank",
    "false_negatives_by_rank": "What denoising took away, by rank",
    "false_negatives_by_retriever": "What denoising took away, by retriever",
    "score_histogram": "How the scorer's probabilities lie",
    "positives_recognised": "Does the scorer recognise the labelled positives?",
    "shortfall": "How many hard negatives the queries get",
    "suspects": "Suspects: unlabelled, but relevant by the scorer",
    "pseudo_label_outcomes": "Queries without labels",
    "pseudo_labels": "Pseudo-labels: what the scorer is sure of",
    "query_card": "One query",
    "lineage": "Where the decisions come from",
    "cutoffs_compared": "The same candidates under each setting of the cutoffs",
    "splits": "The queries of the collection",
    "collection": "What was loaded",
    "setting": "What the reports speak of",
}

CAPTIONS = {
    "funnel": (
        "Pairs of a query and a passage among the top {depth} of run {run}. A hard negative is a "
        "passage that the retriever ranks high and the cross-encoder holds for irrelevant (below "
        "{negative_below:g}): safe to train against. The rest is left out; nothing unscored ever "
        "counts as negative."
    ),
    "denoised_by_rank": (
        "One row per range of ranks. judged: passages without a label, with a verdict. false "
        "negatives: relevant by the scorer (above {positive_above:g}), though nobody labelled them. "
        "denoised (bar): all that is no hard negative, that is false negatives, uncertain ones, "
        "duplicates of a positive and, on queries without labels, pseudo-positives."
    ),
    "false_negatives_by_rank": (
        "One row per rank. judged: passages without a label, with a verdict. false negatives: "
        "relevant by the scorer (above {positive_above:g}), though nobody labelled them. denoised "
        "(bar): all that is no hard negative; pseudo-positives, on queries without labels, among it."
    ),
    "false_negatives_by_retriever": (
        "One row per source of run {run}; a passage that several sources found counts for each, 'only "
        "here' for one. Figures as by rank: a retriever with many false negatives finds what the "
        "labels miss."
    ),
    "score_histogram": (
        "One row per twentieth of the probability of {scorer_id}. Bars are shares of their own "
        "column. A scorer that works puts labelled positives at the bottom, most unlabelled "
        "candidates at the top. Cutoffs: {negative_below:g} and {positive_above:g}."
    ),
    "positives_recognised": (
        "One row per verdict, over all labelled pairs of the run's queries. They are known to be "
        "relevant: what lies below negative_below ({negative_below:g}) is either a wrong label or the "
        "scorer's mistake; above positive_above ({positive_above:g}) it agrees."
    ),
    "shortfall": (
        "One row per number of hard negatives, over the queries of run {run}; {negatives} are wanted "
        "for each. Queries with fewer get fewer: nothing unscored fills the gap."
    ),
    "suspects": (
        "One block per pair that would have been trained on as a negative: rank in run {run}, "
        "probability by {scorer_id} (above {positive_above:g}), and a passage with a label for "
        "comparison. Read a few: are they right?"
    ),
    "pseudo_label_outcomes": (
        "One row per outcome, over the queries without labels of run {run}. A query gets a label "
        "when a passage of its top {depth} lies above {positive_above:g} by {scorer_id}; the others "
        "get none."
    ),
    "pseudo_labels": (
        "One block per pair that becomes training data without a person's label: rank in run {run}, "
        "probability by {scorer_id}. The surest come first."
    ),
    "query_card": (
        "One row per passage: its rank in run {run} ('-': labelled, but not found), probability by "
        "{scorer_id}, the retriever's score, and the decision at cutoffs '{cutoffs}'."
    ),
    "lineage": (
        "One row per job that run {run} and cutoffs '{cutoffs}' rest on. --json has settings, inputs "
        "and fingerprints."
    ),
    "cutoffs_compared": (
        "One row per name, over run {run}; enough: queries with {negatives} or more hard negatives."
    ),
    "splits": "One row per split. labelled: queries with a positive.",
}
