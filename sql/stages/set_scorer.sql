-- set_scorer: the scorer whose ledger this connection reads. Grain: one value per connection.
set variable scorer_id = $scorer;
