"""Settings (curate/config.py): what `curate.toml` may contain, and the messages about what it may not."""

from pathlib import Path

import pytest

from curate.config import Denoise, Mine, Settings, read_settings
from curate.errors import BadSettings
from curate.workspace import TOML


def read(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "curate.toml").write_text(text, "utf-8")
    return read_settings(tmp_path / "curate.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[mine]\ndepht = 5", "unknown key 'mine.depht': did you mean 'depth'"),
        ("[minne]\ndepth = 5", "unknown key 'minne': did you mean 'mine'"),
        ("[train.cross_encoder]\nlearningrate = 1.0", "did you mean 'learning_rate'"),
        ("[mine]\ndepth = 0", "mine.depth.*greater than or equal to 1.*found 0"),
        ("[mine]\ndepth = '5'", "mine.depth.*valid integer.*found '5'"),
        ("[mine]\nretriever = 'bm52'", "mine.retriever.*'bm25'.*found 'bm52'"),
        ("[denoise]\nnegative_below = 0.95", "negative_below = 0.95 lies above positive_above = 0.9"),
        ("[denoise]\npositive_above = nan", "denoise.positive_above"),
        ("[mine\n", "not valid TOML.*line 1"),
    ],
)
def test_what_settings_cannot_mean_is_told_with_its_key(tmp_path: Path, text: str, message: str) -> None:
    """The message names the file, the key, what was found and what was expected."""
    with pytest.raises(BadSettings, match=message) as told:
        read(tmp_path, text)
    assert "curate.toml" in str(told.value)


def test_an_empty_file_has_every_default(tmp_path: Path) -> None:
    """The defaults are RocketQA's cutoffs, strict on both sides."""
    settings = read(tmp_path, "")
    assert (settings.denoise.negative_below, settings.denoise.positive_above) == (0.1, 0.9)


def test_a_new_workspace_starts_with_settings_that_read(tmp_path: Path) -> None:
    """The file that `curate init` writes holds the defaults."""
    assert read(tmp_path, TOML) == Settings()


def test_an_option_comes_before_the_file(tmp_path: Path) -> None:
    """An option overrides curate.toml, and curate.toml overrides the default."""
    mine = read(tmp_path, "[mine]\ndepth = 20").mine
    assert mine.override(depth=None, retriever="dense") == Mine(depth=20, retriever="dense")


def test_an_option_that_cannot_be_is_refused_like_a_key() -> None:
    """The Python API takes the same names, and the error for a wrong one names the nearest."""
    with pytest.raises(BadSettings, match="did you mean 'scorer'"):
        Denoise().override(scorrer="x")


def test_what_curate_toml_says_about_an_encoder_holds_for_its_copy(tmp_path: Path) -> None:
    """The same files under another path are the same model; other files are another one."""
    for name, content in (("here", "{}"), ("copy", "{}"), ("other", "[]")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(content)
    mine = Mine(encoder="here", query_prompt="query: ")
    prompts = [mine.about(name, tmp_path).query_prompt for name in ("here", "copy", "other")]
    assert prompts == ["query: ", "query: ", None]
