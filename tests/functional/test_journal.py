"""What the daemon writes on standard error, in a process of its own: the logging of a process is one for all."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import logging, threading, warnings
from agent.runtime.journal import redact_journal, start_journal

start_journal("info")
redact_journal(lambda text: text.replace("hunter2", "[redacted:db]"))

def plugin():
    raise ValueError(f"it said {chr(0x1B)}[2J hunter2 {chr(0x202E)}{chr(0xDC80)}")

try:
    plugin()
except ValueError:
    logging.getLogger("paramedic.checks").exception("a check failed")
thread = threading.Thread(target=plugin, name="ssh")
thread.start()
thread.join()
logging.getLogger("urllib3.connection").warning("Failed to parse headers")
warnings.warn(f"bug! it said {chr(0x1B)}[2J hunter2")
"""


@pytest.mark.parametrize("environment", [{}, {"JOURNAL_STREAM": "8:1"}], ids=["people", "systemd"])
def test_no_line_holds_a_secret_or_what_a_terminal_would_obey(tmp_path: Path, environment: dict[str, str]) -> None:
    script = tmp_path / "says.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, script], capture_output=True, timeout=60, check=True, env={"PYTHONUTF8": "1", **environment}
    )
    said = done.stderr.decode()
    assert said.count("ValueError: it said \\x1b[2J [redacted:db] \\u202e\\udc80") == 2
    assert "UserWarning: bug! it said \\x1b[2J [redacted:db]" in said
    assert "Failed to parse" not in said  # at every asking, with a traceback
    assert "a defect has ended the thread ssh" in said
    lines = [line for line in said.splitlines() if "raise ValueError" not in line]  # a line of the script
    assert not [line for line in lines if "hunter2" in line]
    assert all(line.isprintable() for line in lines)
    if environment:
        assert all(line.startswith(("<2>", "<3>", "<4>")) for line in lines)
