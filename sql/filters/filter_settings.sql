-- filter_settings: rules that leave false negatives out of the negatives, with the settings that their authors give. Grain: one row per filter.
-- A filter keeps a candidate that meets every condition of its row; null: there is no such condition. All filters look
-- at the same candidates (filters/filtered_candidates.sql).
-- compares: the scores that the conditions are about: the retriever's, or the scorer's probabilities, as
-- mine_hard_negatives does with a cross_encoder.
-- first_rank, last_rank: the ranks that it keeps. Labelled passages have a rank too.
-- most: the highest score that it keeps.
-- absolute_margin, relative_margin: how far the score has to be below that of the query's labelled positive, of several
-- the lowest one; relative: as a share of the positive's score.
-- skipped: so many of the candidates that meet all other conditions are left out, the best-ranked ones.
-- below_cutoff: the probability has to be below negative_below of the cutoffs.
-- needs: what the retriever's scores have to be for the conditions to mean something: cosine, or single (not several
-- retrievers' scores in one). null: anything.
-- Sources: curate is RocketQA's rule (NAACL 2021, 3.2). mine_hard_negatives is of sentence-transformers 6.2; the settings
-- are those of its docstring. hn_mine is FlagEmbedding's script; 10-210 is its default, 2-200 that of its examples.
-- TopK-MarginPos and TopK-PercPos are of NV-Retriever (Moreira et al. 2024, arXiv 2407.15831); the latter is
-- relative_margin of mine_hard_negatives.
create or replace view filter_settings as
select
    place,
    filter,
    compares,
    first_rank,
    last_rank,
    most::float as most,
    absolute_margin::float as absolute_margin,
    relative_margin::float as relative_margin,
    skipped,
    below_cutoff,
    needs,
    source,
from (
    values
    (1, 'curate', 'scorer', null, null, null, null, null, null, true, null, 'RocketQA: negative_below of the cutoffs'),
    (2, 'none', 'retriever', null, null, null, null, null, null, false, null, 'the best-ranked unlabelled passages'),
    (3, 'hn_mine 2-200', 'retriever', 3, 200, null, null, null, null, false, null,
        'FlagEmbedding hn_mine: range_for_sampling 2-200'),
    (4, 'hn_mine 10-210', 'retriever', 11, 210, null, null, null, null, false, null,
        'FlagEmbedding hn_mine: range_for_sampling 10-210'),
    (5, 'max_score 0.8', 'retriever', null, null, 0.8, null, null, null, false, 'cosine',
        'mine_hard_negatives: max_score=0.8'),
    (6, 'absolute_margin 0', 'retriever', null, null, null, 0, null, null, false, 'single',
        'mine_hard_negatives: absolute_margin=0'),
    (7, 'TopK-MarginPos 0.05', 'retriever', null, null, null, 0.05, null, null, false, 'cosine',
        'NV-Retriever; mine_hard_negatives: absolute_margin=0.05'),
    (8, 'TopK-PercPos 95 %', 'retriever', null, null, null, null, 0.05, null, false, 'single',
        'NV-Retriever; mine_hard_negatives: relative_margin=0.05'),
    (9, 'all of the docstring', 'retriever', null, null, 0.8, null, 0.05, 10, false, 'cosine',
        'mine_hard_negatives: range_min=10, max_score=0.8, relative_margin=0.05'),
    (10, 'scorer, absolute_margin 0', 'scorer', null, null, null, 0, null, null, false, null,
        'mine_hard_negatives: cross_encoder, absolute_margin=0'),
    (11, 'scorer, relative_margin 0.05', 'scorer', null, null, null, null, 0.05, null, false, null,
        'mine_hard_negatives: cross_encoder, relative_margin=0.05')
) as settings (
    place,
    filter,
    compares,
    first_rank,
    last_rank,
    most,
    absolute_margin,
    relative_margin,
    skipped,
    below_cutoff,
    needs,
    source
);
