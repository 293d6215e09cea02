"""The summary of a sound configuration: what people may not have meant."""

from pathlib import Path

from agent.cli.config_summary import summary
from agent.config.load import load


def test_of_a_service_with_a_ladder_elsewhere_it_says_that_who_notices_first_decides(tmp_path: Path) -> None:
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "look.yaml").write_text("runbook: look\nsteps:\n  - {name: look, run: 'true'}\n")
    (tmp_path / "all.yaml").write_text(
        f"agent: {{runbooks: [{tmp_path}/runbooks]}}\n"
        "services: {shop: {}, mail: {}}\n"
        "checks:\n"
        "  web: {kind: command, run: 'true', service: shop, ladder: [look]}\n"
        "  queue: {kind: command, run: 'true', service: shop}\n"
        "  relay: {kind: command, run: 'true', service: mail}\n"
        "  disk: {kind: command, run: 'true'}\n"
        "  load: {kind: command, run: 'true', ladder: [look]}\n"
    )
    said = summary(load(tmp_path)).splitlines()
    at = said.index("  no runbook, so a person is called: disk, queue, relay")
    assert said[at + 1] == (
        "    another check of the same service has a ladder: queue; whichever notices first decides: the incident that "
        "one without opens goes to a person at once, that of the other is treated and takes it in"
    )
    (tmp_path / "all.yaml").write_text(
        (tmp_path / "all.yaml").read_text().replace("queue: {", "queue: {ladder: [look], ")
    )
    assert "notices first" not in summary(load(tmp_path))
