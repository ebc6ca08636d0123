"""The formats in which a training set leaves: one file a format."""
