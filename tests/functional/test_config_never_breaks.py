"""Whatever stands at the top of a file, it is sections or a problem. What stands below: `tests/fuzz`."""

from pathlib import Path

import pytest

from agent.config.load import load
from agent.config.problem import ConfigProblems


@pytest.mark.parametrize("text", ["[]", "1", '"x"', "{}", "null"])
def test_the_top_of_a_file_may_be_anything(tmp_path: Path, text: str) -> None:
    (tmp_path / "all.yaml").write_text(text, encoding="utf-8")
    if text in ("{}", "null"):
        assert load(tmp_path, environ={}).settings.checks == {}
    else:
        with pytest.raises(ConfigProblems, match="expected sections"):
            load(tmp_path, environ={})
