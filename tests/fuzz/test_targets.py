"""Whatever comes, what is made of it is a value or a sentence: never another exception, and never for ever."""

import pytest

from tests.fuzz.target import Target, fuzzing
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_whatever_comes(target: Target) -> None:
    with target.opened() as feed:
        fuzzing(target, feed)()
