"""Impact, urgency, priority, team, home: each with the sentence that accounts for it."""

from dataclasses import replace

import pytest

from agent.core import classification, grouping, selection
from agent.core.classification import Reach
from agent.core.variables import given_values, variables_for
from agent.model.health import Key
from agent.model.incident import Incident, Origin, Phase, Symptom
from agent.model.policy import ImpactRules, Policy
from agent.model.priority import Impact, Priority, Urgency
from agent.model.runbook import Variable
from agent.model.service import Criticality, Service
from tests.core.ward import CRITICAL, UNKNOWN, WARNING, check, runbook, settings, shop


def service(name: str, *needs: str, **more: object) -> Service:
    return Service(name=name, depends_on=needs, **more)


def ill(check: str, host: str | None = "web1", service: str | None = None, **more: object) -> Symptom:
    return Symptom(Key(check, host or ""), host, service, **{"status": CRITICAL, "since": 1.0, **more})  # type: ignore[arg-type]


def incident(*symptoms: Symptom, phase: Phase = Phase.TREATING, origin: Origin = Origin.MONITORING) -> Incident:
    judged = classification.classify(symptoms, shop())
    return Incident("INC-1", origin, phase, "x", "general", 1.0, judged, "operations", symptoms=symptoms)


@pytest.mark.parametrize(
    ("criticality", "users", "affected", "total", "impact", "because"),
    [
        (
            Criticality.VITAL,
            1000,
            1,
            4,
            Impact.EXTENSIVE,
            "1 of 4 hosts of s (25%) × criticality vital (4) × 1000 users",
        ),
        (Criticality.VITAL, 999, 1, 4, Impact.SIGNIFICANT, "= 999, significant from 200"),
        (Criticality.LOW, 200, 4, 4, Impact.SIGNIFICANT, "= 200, significant from 200"),
        (Criticality.LOW, 199, 4, 4, Impact.MODERATE, "moderate from 50"),
        (Criticality.MEDIUM, 100, 1, 4, Impact.MODERATE, "= 50, moderate from 50"),
        (Criticality.MEDIUM, 99, 1, 4, Impact.MINOR, "minor below 50"),
        (Criticality.HIGH, 400, 0, 0, Impact.EXTENSIVE, "all of s (100%)"),
        (Criticality.VITAL, 0, 1, 1, Impact.MINOR, "× 0 users = 0"),
    ],
)
def test_impact(criticality: Criticality, users: int, affected: int, total: int, impact: Impact, because: str) -> None:
    reach = Reach(service("s", criticality=criticality, users=users), affected, total)
    found, sentence = classification.judge_impact([reach], ImpactRules())
    assert found is impact
    assert because in sentence


def test_the_service_hit_hardest_counts_and_without_one_it_is_minor() -> None:
    small, large = service("small", users=1), service("large", users=5000)
    found, sentence = classification.judge_impact([Reach(small, 1, 1), Reach(large, 1, 2)], ImpactRules())
    assert found is Impact.EXTENSIVE
    assert "large" in sentence
    assert classification.judge_impact([], ImpactRules())[0] is Impact.MINOR


def test_a_check_without_a_service_hits_the_services_on_its_host() -> None:
    (reach,) = classification.reaches([ill("disk", "web2")], shop())
    assert (reach.service.name, reach.affected, reach.total) == ("shop", 1, 3)
    assert classification.reaches([ill("disk", "elsewhere")], shop()) == []


def test_a_service_probed_from_elsewhere_is_lost_as_a_whole() -> None:
    (reach,) = classification.reaches([ill("web", "localhost", "shop"), ill("web", "web1", "shop")], shop())
    assert reach.share == 1.0


@pytest.mark.parametrize(
    ("symptoms", "urgency", "because"),
    [
        ([], Urgency.LOW, "nothing is ill now"),
        ([ill("web", status=WARNING)], Urgency.MEDIUM, "web on web1 is a warning"),
        ([ill("web", status=WARNING), ill("db")], Urgency.HIGH, "db on web1 is critical"),
        ([ill("web", status=UNKNOWN, blind=True)], Urgency.LOW, "cannot be asked"),
        ([ill("calm")], Urgency.LOW, "check calm says so"),
    ],
)
def test_urgency(symptoms: list[Symptom], urgency: Urgency, because: str) -> None:
    found, sentence = classification.judge_urgency(symptoms, settings([check("calm", urgency="low"), check("web")]))
    assert found is urgency
    assert because in sentence


def test_priority_is_the_matrix_of_the_two_with_all_inputs_in_the_sentence() -> None:
    judged = classification.classify([ill("db", "db1", "database")], shop())
    assert judged.priority is Priority.P1
    assert judged.because == (
        "impact extensive: 1 of 1 hosts of database (100%) × criticality vital (4) × 500 users = 2000, "
        "extensive from 1000; urgency high: db on db1 is critical; priority P1: impact extensive × urgency high"
    )


def test_the_matrix_is_the_operators_own() -> None:
    """Weights and bands too: nothing of it is built in."""
    own = {impact: dict.fromkeys(Urgency, Priority.P5) for impact in Impact}
    own[Impact.MODERATE][Urgency.MEDIUM] = Priority.P1
    rules = ImpactRules(weights={Criticality.LOW: 7}, moderate_from=60, significant_from=71, extensive_from=80)
    known = settings(services=[Service(name="shop", hosts=("web1",), criticality=Criticality.LOW, users=10)])
    known = replace(known, policy=Policy(impact=rules, priority=own))
    judged = classification.classify([ill("web", service="shop", status=WARNING)], known)
    assert (judged.impact, judged.urgency, judged.priority) == (Impact.MODERATE, Urgency.MEDIUM, Priority.P1)


@pytest.mark.parametrize(
    ("category", "service", "team"),
    [("storage", None, "dba"), ("general", None, "operations"), ("x", "shop", "shopkeepers")],
)
def test_the_team_that_owns_the_fault_type_then_the_services_then_the_default(
    category: str, service: str | None, team: str
) -> None:
    known = settings(services=[Service(name="shop", owner="shopkeepers")])
    found = selection.team_for(category, service, known)
    assert found.name == team
    assert found.because


# where a symptom belongs


SERVICES = {
    s.name: s
    for s in (service("shop", "database"), service("database", "storage"), service("storage"), service("mail"))
}


@pytest.mark.parametrize(
    ("symptom", "open_ones", "home"),
    [
        (ill("web", service="shop"), [], None),
        (ill("web", service=None), [incident(ill("disk"))], None),
        (ill("web", service="shop"), [incident(ill("cart", service="shop"))], "INC-1"),
        (ill("web", service="shop"), [incident(ill("cart", service="shop"), phase=Phase.ESCALATED)], None),
        (ill("web", service="shop"), [incident(ill("cart", service="shop"), phase=Phase.RESOLVED)], None),
        (ill("web", service="shop"), [incident(ill("cart", service="shop"), origin=Origin.PERSON)], None),
        (ill("web", service="shop"), [incident(ill("cart", service="shop", cleared_at=2.0))], None),
        (
            ill("web", service="shop"),
            [incident(ill("raid", service="storage"), phase=Phase.ESCALATED)],
            "INC-1",
        ),
        (ill("raid", service="storage"), [incident(ill("web", service="shop"))], "INC-1"),
        (ill("raid", service="storage"), [incident(ill("web", service="shop"), phase=Phase.ESCALATED)], None),
        (ill("web", service="shop"), [incident(ill("smtp", service="mail"))], None),
        (ill("web", service="shop"), [incident(ill("cart", service="shop", blind=True))], None),
        (ill("web", blind=True), [incident(ill("disk", blind=True))], "INC-1"),
        (ill("web", "web2", blind=True), [incident(ill("web", blind=True))], "INC-1"),
        (ill("web", "web2", blind=True), [incident(ill("disk", blind=True))], None),
        (ill("web", blind=True), [incident(ill("disk"))], None),
        (ill("web", blind=True), [incident(ill("disk", blind=True, cleared_at=2.0))], None),
    ],
)
def test_which_incident_a_symptom_joins(symptom: Symptom, open_ones: list[Incident], home: str | None) -> None:
    found = grouping.find_home(symptom, open_ones, SERVICES)
    assert (found and found.incident) == home
    assert found is None or found.because


def test_dependencies_reach_through_and_a_circle_does_no_harm() -> None:
    assert grouping.dependencies("shop", SERVICES) == {"database", "storage"}
    circle = {s.name: s for s in (service("a", "b"), service("b", "a", "gone"))}
    assert grouping.dependencies("a", circle) == {"b", "gone"}


@pytest.mark.parametrize(
    ("symptoms", "order"),
    [
        ([ill("web", service="shop"), ill("raid", service="storage")], ("raid",)),
        ([ill("a", since=2.0), ill("b", since=1.0)], ("b", "a")),
        ([ill("a", status=WARNING, since=1.0), ill("b", since=2.0)], ("b", "a")),
        ([ill("a", blind=True), ill("b")], ("b",)),
        ([ill("a", cleared_at=3.0), ill("b")], ("b",)),
        ([ill("a", "web1"), ill("a", "web2")], ("a",)),
    ],
)
def test_the_likeliest_cause_first(symptoms: list[Symptom], order: tuple[str, ...]) -> None:
    assert grouping.treatable(incident(*symptoms), SERVICES) == order


# variables


@pytest.mark.parametrize(
    ("type_name", "given", "value"),
    [
        ("string", "x", "x"),
        ("string", 5, "5"),
        ("string", True, "true"),
        ("integer", "5", 5),
        ("integer", 5, 5),
        ("integer", "5.5", None),
        ("integer", 5.5, None),
        ("integer", True, None),
        ("number", "5.5", 5.5),
        ("number", 5, 5),
        ("number", "nan", None),
        ("number", "inf", None),
        ("boolean", "no", False),
        ("boolean", True, True),
        ("boolean", "maybe", None),
        ("boolean", 1, None),
        ("string", ["x"], None),
        ("string", None, None),
    ],
)
def test_values_take_the_type_the_runbook_names(type_name: str, given: object, value: object) -> None:
    book = runbook("r", vars={"v": Variable(type=type_name)})
    if value is None:
        with pytest.raises(ValueError, match=f"is not of type {type_name}"):
            given_values(book, {"v": given})
    else:
        assert given_values(book, {"v": given}) == {"v": value}


def test_defaults_stand_in_and_what_is_missing_is_named() -> None:
    book = runbook(
        "r", vars={"a": Variable(default="x"), "b": Variable(), "c": Variable(type="boolean", default=False)}
    )
    assert variables_for(book, {}) == ({"a": "x", "b": None, "c": False}, ["b"])
    assert variables_for(book, {"a": "y", "b": "z"}) == ({"a": "y", "b": "z", "c": False}, [])
