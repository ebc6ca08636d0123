"""`curate check`: training texts that stand in dev, test or a benchmark, exactly or nearly."""
