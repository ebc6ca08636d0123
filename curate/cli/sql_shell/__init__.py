"""The shell of `curate sql`: statements and dot commands that are typed in a terminal."""
