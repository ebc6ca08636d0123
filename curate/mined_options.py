"""The options by which a run was mined, as its record has them."""

from typing import Any

from curate.job_record import Record


def options_of(record: Record) -> dict[str, Any]:
    """Return the options of a run that is to be mined in the same way again.

    Records of versions before there were back ends do not name one: it was torch.
    """
    options = {**record.settings, **record.facts.get("options", {})}
    return {"backend": "torch", **options} if options.get("encoder") else options
