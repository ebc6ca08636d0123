"""The demo's collection: the documentation of installed Python libraries."""
