"""`curate doctor`: whether a model is read rightly, its scores can be trusted, and the machine is set up."""
