"""The texts of the reports, for readers who are new to RocketQA: a title above, an explanation below."""

TITLES = {
    "headline": "What denoising found in the top-k",
    "naive_negatives": "What would have been trained on without denoising",
    "denoised_by_query": "What denoising removed, by kind of query",
    "denoised_by_split": "What denoising removed, by split",
    "retriever_overlap": "Which retrievers found the same candidates",
    "calibration_in_force": "The calibration in force",
    "cutoff_sweep": "What other cutoffs would keep and cost",
    "filters": "What other filters would have kept",
    "rescued": "Rescued: passages that are no negatives, because nobody is sure",
    "query_cards": "The queries that tell most",
    "duplicate_groups": "Passages with the same text",
    "cost": "What the scores cost",
    "training": "How the models that took part learned",
    "estimates": "What people say of a sample",
    "selfcheck": "What denoising finds of hidden positives",
    "funnel": "From candidates to hard negatives",
    "denoised_by_rank": "What denoising removed, by range of ranks",
    "false_negatives_by_rank": "What denoising removed, by rank",
    "false_negatives_by_retriever": "What denoising removed, by retriever",
    "score_histogram": "Distribution of the scorer's probabilities",
    "judge": "Is the scorer better than the retriever?",
    "reliability": "Do the probabilities of a calibration mean what they say?",
    "agreement": "Where two scorers disagree",
    "disagreements": "The strongest disagreements of two scorers",
    "positives_recognised": "Does the scorer recognise the labelled positives?",
    "hidden_positives": "What denoising would make of labelled positives if nobody had labelled them",
    "shortfall": "How many hard negatives the queries have",
    "suspects": "Suspects: unlabelled passages that the scorer considers relevant",
    "pseudo_label_outcomes": "Pseudo-labels for queries without labels",
    "pseudo_labels": "The most probable pseudo-labels",
    "query_card": "One query",
    "lineage": "The jobs behind the decisions",
    "cutoffs_compared": "The same candidates under different cutoffs",
    "splits": "The queries of the collection",
    "collection": "What was loaded",
    "setting": "The run, scorer and cutoffs of the reports",
    "rounds": "The runs, their models and their measures",
}

CAPTIONS = {
    "headline": (
        "'unjudged' counts the candidates of run {run} in the top {depth} that no person judged and the scorer or "
        "their text decided. The rates are shares of them. Intervals hold 95 %, by query: they tell how much the "
        "share would vary with other queries, and nothing of how often the scorer is wrong."
    ),
    "naive_negatives": (
        "A miner without denoising takes the {negatives} best-ranked unlabelled passages of each labelled query "
        "as negatives. One row per verdict on what it takes. Shares are of those with a verdict; unscored ones "
        "are in none. Intervals hold 95 %, by query."
    ),
    "denoised_by_query": (
        "One row per length of the query in words, and per first word, if that is an English question word. The "
        "columns have the same meaning as in the report by rank. Intervals hold 95 %, by query."
    ),
    "denoised_by_split": (
        "One row per split, for its current run. Queries without labels have pseudo-positives in place of false "
        "negatives; both are denoised. The interval is that of 'denoised'."
    ),
    "retriever_overlap": (
        "One row per set of retrievers. What only one of them finds, the others miss: many false negatives there "
        "are passages that its like would have kept as negatives."
    ),
    "calibration_in_force": (
        "One row per scorer of the cutoffs '{cutoffs}'. 'error' is the mean distance of a probability from the "
        "share that is relevant, on queries that the calibration was not fitted to."
    ),
    "cutoff_sweep": (
        "One row per value of negative_below, over the scores that are there: nothing is scored again. 'kept' "
        "counts the hard negatives, 'positives lost' the labelled positives below the cutoff, of queries that the "
        "scorer was not trained on: so large a share of the relevant passages that nobody labelled would become "
        "negatives, too. 'short' counts the queries with fewer than {negatives} hard negatives. To use a value: "
        "curate cutoffs set NAME --negative-below VALUE."
    ),
    "filters": (
        "One row per filter, over the same unlabelled candidates of labelled queries in the top {depth} of run "
        "{run}. 'kept' is what it would use as negatives; 'short' counts the queries with fewer than {negatives} "
        "of them. 'curate' keeps what has a probability below {negative_below:g}, whatever people said. A filter "
        "that needs another kind of score than this retriever's has no row. What depends on an unknown score is "
        "'unknown', never guessed. 'false' is the share of relevant passages among those that it keeps, and "
        "'caught' the share of the relevant ones that it removes, both of what people or hidden labels (--hidden "
        "FILE) say. The rules and their sources: curate sql --explain filter_settings."
    ),
    "rescued": (
        "Each block is a pair that a miner without denoising would have used as a negative: it is among the "
        "{negatives} best-ranked unlabelled passages of its query. The scorer is not sure of it (uncertain), or "
        "it is a copy of a positive (duplicate). They are drawn by hash, so they are typical. Words that query "
        "and passage share are marked."
    ),
    "query_cards": (
        "Queries with the most false negatives, without a hard negative, and with a labelled positive that the "
        "scorer rejects: there, the label or the scorer is wrong. Everything about one query: curate report query "
        "ID."
    ),
    "duplicate_groups": (
        "One row per text that several passages have, apart from case, punctuation and white space. "
        "Copies of a positive that differ a little: curate sql near_copies."
    ),
    "cost": (
        "One row per scorer. The ledger keeps every score, so that other cutoffs, another run that finds the same "
        "pairs, or an interrupted command cost nothing again."
    ),
    "training": (
        "From the log of each training. 'won' is the share of groups or rows in which a positive ranks first."
    ),
    "estimates": (
        "Verdicts on a sample stand for all candidates that it was drawn from, so that the 95 % intervals follow "
        "from its design: queries were drawn first, then pairs. All figures: curate estimate."
    ),
    "selfcheck": (
        "Labelled positives are treated as if nobody had labelled them. 'recall' is the share of those among the "
        "scored candidates that denoising would take out of the negatives (negative_below) or find relevant "
        "(positive_above). Intervals hold 95 %, by query. What it costs: curate selfcheck."
    ),
    "funnel": (
        "The first part counts pairs of a query and a passage from the top {depth} of run {run}. A hard "
        "negative is a passage that the retriever ranks high although it is not relevant: the "
        "cross-encoder gives it a probability below {negative_below:g}, or people judged it not relevant. "
        "It is safe to train against. All other pairs are left out of the negatives, also the unscored "
        "ones. The second part counts queries."
    ),
    "denoised_by_rank": (
        "One row per range of ranks. 'unjudged' counts the candidates that no person judged and the scorer or "
        "their text decided. 'false negatives' is the share of them that the scorer considers relevant "
        "(probability above {positive_above:g}). 'denoised' (the bar) is the share that are not hard "
        "negatives: false negatives, uncertain candidates, duplicates of a positive and, for queries without "
        "labels, pseudo-positives. In neither share: candidates that people judged not relevant ('by "
        "people') and unscored ones."
    ),
    "false_negatives_by_rank": (
        "One row per rank. 'unjudged' counts the candidates that no person judged and the scorer or their text "
        "decided. 'false negatives' is the share of them that the scorer considers relevant (probability "
        "above {positive_above:g}). 'denoised' (the bar) is the share that are not hard negatives; for "
        "queries without labels, it includes pseudo-positives. 'by people' counts candidates that people "
        "judged not relevant."
    ),
    "false_negatives_by_retriever": (
        "One row per source of run {run}. A passage that several sources found counts for each of them; "
        "'only here' counts the passages that no other source found. The other columns have the same "
        "meaning as in the report by rank. A retriever with many false negatives finds relevant passages "
        "that the labels miss."
    ),
    "score_histogram": (
        "Each row is an interval of 0.05 of the probability by {scorer_id}. Each bar is a share of its own "
        "column; what people judged not relevant is in neither. Random passages are drawn by chance, one for each "
        "of some queries: they show where the scale begins. With a good scorer, most labelled positives "
        "are in the bottom rows, and most unlabelled candidates are in the top rows. The cutoffs are "
        "{negative_below:g} and {positive_above:g}."
    ),
    "judge": (
        "Over the labelled queries of run {run} that {scorer} has not seen in its training, at most 1,000 of "
        "them. MRR@10: 1 / rank of the first labelled positive, the mean over the queries. AUC: the share of "
        "unlabelled candidates, of all these queries, that lie below a labelled positive. The intervals are a "
        "bootstrap over queries."
    ),
    "reliability": (
        "One row per tenth of the probability: its mean over the pairs, and the share of them that is relevant. "
        "Both should be the same. 'before' has the sigmoids of the logits, 'after' the scorer's newest "
        "calibration, each query by a fit without it. The first part has all pairs, the others those of a length "
        "of the passage or of a retriever. From labels alone, 'relevant' is what labelled positives stand for."
    ),
    "agreement": (
        "Over the candidates in the top {depth} of run {run} that both have scored, and that nobody judged. "
        "'first' is {scorer}, 'second' is {against}; each has its own calibration. Irrelevant: a probability "
        "below {negative_below:g}; relevant: above {positive_above:g}. Cohen's kappa is the agreement beyond "
        "chance: 1 is full, 0 is none. The rank correlation is Spearman's, of the logits. One row per band: "
        "'disagree' (the bar) is the share on which they decide otherwise, 'first higher' the share on which "
        "the first is nearer to relevant. A band is of the passage's length, of the share of the query's "
        "words that the passage has, of the retriever that found it, or of its rank."
    ),
    "disagreements": (
        "Each block is a candidate of run {run} about which {scorer} (first) and {against} (second) decide "
        "otherwise. The greatest differences of their probabilities come first. Read a few: which one is "
        "right?"
    ),
    "positives_recognised": (
        "One row per verdict, over all labelled positives of the queries of the run's split. Those of queries "
        "that the scorer was trained on stand apart (seen in training): they say nothing of other queries. People "
        "labelled these pairs as relevant. Above positive_above ({positive_above:g}), the scorer agrees with the "
        "label. Below negative_below ({negative_below:g}), either the label or the scorer is wrong."
    ),
    "shortfall": (
        "One row per number of hard negatives, over the queries of run {run}. Each query should have "
        "{negatives}. A query with fewer is trained with fewer: unscored passages never fill the gap."
    ),
    "suspects": (
        "Each block is a pair that would be a negative without denoising. It shows the rank in run {run}, "
        "the probability by {scorer_id} (above {positive_above:g}) and, for comparison, a labelled "
        "positive of the same query. Read a few of them: is the scorer right?"
    ),
    "pseudo_label_outcomes": (
        "One row per outcome, over the queries of run {run}, which have no labels. A query gets a "
        "pseudo-label if {scorer_id} gives a passage in its top {depth} a probability above "
        "{positive_above:g}. The other queries get none."
    ),
    "pseudo_labels": (
        "Each block is a pair that becomes a training example although no person labelled it. It shows "
        "the rank in run {run} and the probability by {scorer_id}. The most probable pairs come first."
    ),
    "query_card": (
        "One row per passage, with its rank in run {run} ('-' for a labelled positive that the run did not "
        "find), its probability by {scorer_id}, the retriever's score, and the decision under the cutoffs "
        "'{cutoffs}' with the evidence that decided: people, the scorer, or the text of a positive."
    ),
    "lineage": (
        "One row per job that the decisions for run {run} under the cutoffs '{cutoffs}' depend on. The "
        "option --json also shows settings, inputs and fingerprints."
    ),
    "cutoffs_compared": (
        "One column per named set of cutoffs, applied to run {run}. The first row counts the queries with "
        "{negatives} or more hard negatives."
    ),
    "splits": (
        "One row per split. 'labelled' counts the queries with at least one positive, 'judged' the pairs "
        "that people judged, and 'positives' those that they judged relevant."
    ),
}
