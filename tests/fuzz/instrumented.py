"""One target under atheris: `python -m tests.fuzz.instrumented TARGET [libFuzzer's options]`. Never returns."""

import sys

import atheris

with atheris.instrument_imports(include=["agent", "checks"]):
    from tests.fuzz.target import fuzzing
    from tests.fuzz.targets import TARGETS


def main() -> None:
    name = sys.argv.pop(1)
    [target] = [target for target in TARGETS if target.name == name]
    with target.opened() as feed:
        atheris.Setup(sys.argv, fuzzing(target, feed).hypothesis.fuzz_one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
