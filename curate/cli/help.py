"""Help texts: the options of a command in groups, the same groups in every command."""

import click

GROUPS = {
    "Data": "passages queries unlabeled qrels annotations split run run_file query cutoffs against name "
    "depth negatives positives groups limit max_rejects promote augmented all_above denoised masks "
    "hard_negatives random_negatives uncertain given near max_queries max_passages hidden",
    "Model": "retriever encoder scorer init towers pooling similarity query_prompt passage_prompt normalize "
    "max_length query_max_length passage_max_length",
    "Training": "epochs batch_rows batch_groups learning_rate easy_share temperature positives_loss distill "
    "distill_weight cross_batch dev_every",
    "Machine": "devices threads device dtype gradient_cache part_tokens checkpoint_every index",
    "Result": "dry_run as_json form format output raw list_all explain force yes",
    "For every command": "directory quiet verbose debug bars color log_file log_format config settings seed help "
    "_click_default_help",
}


class Context(click.Context):
    """A command's context, whose help has the options in groups."""

    def get_help(self) -> str:
        """Return the help text."""
        formatter = self.make_formatter()
        command = self.command
        command.format_usage(self, formatter)
        command.format_help_text(self, formatter)
        for title, options in self._groups().items():
            with formatter.section(title):
                formatter.write_dl(options)
        if isinstance(command, click.Group):
            command.format_commands(self, formatter)
        command.format_epilog(self, formatter)
        return formatter.getvalue().rstrip("\n")

    def _groups(self) -> dict[str, list[tuple[str, str]]]:
        """Return title -> (option, help) of its options; those that no group names come first, as "Options"."""
        of = {name: title for title, names in GROUPS.items() for name in names.split()}
        found: dict[str, list[tuple[str, str]]] = {title: [] for title in ("Options", *GROUPS)}
        for option in self.command.get_params(self):
            record = option.get_help_record(self)
            if record and isinstance(option, click.Option):
                found[of.get(option.name or "", "Options")].append(record)
        return {title: records for title, records in found.items() if records}
