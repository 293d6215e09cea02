"""The agent's own figures, as Prometheus reads them."""

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from agent.runtime.metrics import registry
from tests.functional.fake_control import FakeControl


def test_the_figures_are_those_of_the_status_at_the_time_of_asking() -> None:
    control = FakeControl()
    own = registry(control.status)
    text = generate_latest(own).decode()
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    status = control.status()
    assert found["paramedic_info", status.version] == 1
    assert found[("paramedic_records",)] == status.records
    assert found[("paramedic_ticket_updates_waiting",)] == status.tickets.waiting
    assert found[("paramedic_frozen",)] == (status.freeze is not None)
    assert found["paramedic_neighbour_up", "http://localhost:9090"] == 1
    assert found["paramedic_neighbour_up", "web1"] == 0
    for name, count in status.verdicts.items():
        assert found["paramedic_subjects", name] == count
    by_priority = {name[1]: value for name, value in found.items() if name[0] == "paramedic_open_incidents"}
    assert list(by_priority) == ["P1", "P2", "P3", "P4", "P5"]
    assert sum(by_priority.values()) == len(status.incidents)
