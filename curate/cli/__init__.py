"""The command line: one file a command; heavy libraries are imported inside the commands."""
