-- shared_words: the words that a query and a passage share, sorted, without those in `common`. Grain: one value per call.
create or replace macro shared_words(query, passage, common) as
    list_sort(
        list_filter(
            list_intersect(list_distinct(words_of(query)), list_distinct(words_of(passage))),
            lambda word: not list_contains(common, word)
        )
    );
