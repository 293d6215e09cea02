"""What a PromQL query answers, one subject per series."""

import json
import reprlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from pydantic import AfterValidator, BeforeValidator, Field

from agent.errors import CannotAsk, NeighbourSilent
from agent.model.inventory import Host
from agent.model.observation import Answer, Verdict
from agent.model.text import one_line
from agent.model.threshold import Reading, Unit
from agent.plugin.api import CheckPorts, CheckType
from agent.plugin.http import MIB, HttpAccess, http_url
from agent.plugin.network import say_failure

_LARGEST = 16 * MIB
"""Bytes of an answer that is still read: some 75,000 series. All workers may be at one at the same time."""

_REMARK = "PromQL info"
"""How Prometheus 2 begins a warning that is only a remark on the query; from 3 on these are called `infos`."""


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class Prometheus(HttpAccess, CheckType):
    """Asks a Prometheus server a PromQL question; a vector gives one subject per series.

    The number is the reading `value`. NaN is UNKNOWN. No series at all is what `no_data:` decides. An
    answer that comes with warnings may lack something, so it proves nothing: it is UNKNOWN, and so is a
    server that cannot be asked. With many series, put the comparison into the query (`… > 5`, `no_data: ok`): only what
    is wrong comes back, which costs a twentieth; without it you also see what is well.

    Example:
        api-errors:
          kind: prometheus
          url: http://localhost:9090
          query: sum by (instance) (rate(http_requests_total{code=~"5.."}[1m]))
          subject: instance
          critical: value > 5
          every: 15s
          no_data: unknown
    """

    kind: ClassVar[str] = "prometheus"
    needs_threshold: ClassVar[bool] = True
    own_subjects: ClassVar[bool] = True
    readings: ClassVar[Mapping[str, Reading] | None] = {
        "value": Reading(Unit.NUMBER, "the value of the series", float("-inf")),
    }
    url: Annotated[str, AfterValidator(http_url)] = Field(
        "http://localhost:9090", description="Address of the Prometheus server."
    )
    query: str = Field(min_length=1, description="PromQL, an instant query.")
    subject: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = Field(
        (), description="Label, or list of labels, that names the subject; default: all labels."
    )
    host_label: str | None = Field(
        None, description="Label that names the host, port left off; default: the first label of `subject`."
    )

    def ask(self, target: Host, ports: CheckPorts) -> Sequence[Answer]:
        result = self._query(ports)
        if not isinstance(result, list):
            raise CannotAsk(_odd(result))
        try:
            if result and not isinstance(result[0], dict):  # scalar: [time, "value"]
                return [_answer("", None, result[1])]
            if result and "values" in result[0]:
                raise CannotAsk(
                    "the query answers with a range of times: make it an instant query, without [5m] outside"
                )
            return self._answers(result)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise CannotAsk(_odd(result)) from error

    def _query(self, ports: CheckPorts) -> Any:
        """The result. Raises CannotAsk, also where Prometheus warns (which the client library leaves out)."""
        warnings: list[str] = []

        def look(response: requests.Response, **_: object) -> None:
            response.encoding = "utf-8"  # as JSON is, whatever the server says: Python knows names that cost hours
            _refuse_errors(response)
            warnings.extend(_warnings(response.content))

        with self.session(ports, ports.timeout, _LARGEST) as session:
            session.hooks["response"].append(look)
            client = PrometheusConnect(self.url.rstrip("/"), session=session)  # whose deadline and one attempt count
            with ports.neighbour(self.url):
                result = self._ask(client, ports.timeout)
        if warnings:
            raise CannotAsk(f"the answer may be partial: {one_line('; '.join(warnings), 400)}")
        return result

    def _ask(self, client: PrometheusConnect, seconds: float) -> Any:
        """Raises NeighbourSilent, CannotAsk."""
        odd = f"{self.url} does not answer as Prometheus does"
        try:
            return client.custom_query(self.query, params={"timeout": f"{seconds:.3f}"})
        except (requests.JSONDecodeError, KeyError, TypeError, RecursionError) as error:
            raise CannotAsk(odd) from error
        except (requests.RequestException, PrometheusApiClientException, OSError) as error:
            # Cut off in the middle of its answer it is there all the same.
            answers = isinstance(error, requests.exceptions.ChunkedEncodingError | PrometheusApiClientException)
            kind = CannotAsk if answers else NeighbourSilent
            raise kind(f"Prometheus at {self.url}: {say_failure(error)}") from error
        except ValueError as error:  # a number of more digits than Python reads
            raise CannotAsk(odd) from error

    def _answers(self, vector: Sequence[Mapping[str, Any]]) -> Sequence[Answer]:
        host_label = self.host_label or (self.subject[0] if self.subject else "")
        answers = []
        for series in vector:
            labels = series["metric"]
            host = one_line(_without_port(labels[host_label]), 200) if labels.get(host_label) else None
            answers.append(_answer(self._name(labels), host, series["value"][1]))
        names = Counter(answer.subject for answer in answers)
        if len(names) == len(answers):
            return answers
        unique = [answer for answer in answers if names[answer.subject] == 1]
        return unique + [self._ambiguous(name, times) for name, times in names.items() if times > 1]

    def _name(self, labels: Mapping[str, str]) -> str:
        if self.subject and all(label in labels for label in self.subject):
            return one_line(" ".join(labels[label] for label in self.subject), 200)
        return one_line(" ".join(f"{label}={value}" for label, value in labels.items()), 200)

    def _ambiguous(self, name: str, times: int) -> Answer:
        labels = ", ".join(self.subject)
        advice = f"aggregate the query by ({labels}), or name more labels in `subject`" if labels else "shorten labels"
        return Answer({}, Verdict.UNKNOWN, one_line(f"{times} series are named alike: {advice}"), name)


def _answer(subject: str, host: str | None, value: str) -> Answer:
    number = float(value)
    if number != number:
        return Answer({}, Verdict.UNKNOWN, "no number: NaN", subject, host)
    return Answer({"value": number}, Verdict.OK, f"value {number:.6g}", subject, host)


def _refuse_errors(response: requests.Response) -> None:
    """Raises CannotAsk with Prometheus's own words where it gives them."""
    if len(response.content) >= _LARGEST:
        raise CannotAsk(f"the answer is longer than {_LARGEST // MIB}MiB: aggregate in the query")
    if response.status_code < 400:
        return
    try:
        said = str(json.loads(response.content)["error"])
    except (ValueError, KeyError, TypeError, RecursionError):
        said = response.content[:400].decode("utf-8", "replace")
    raise CannotAsk(one_line(f"Prometheus refused the query with status {response.status_code}: {said}"))


def _warnings(body: bytes) -> list[str]:
    """Parsed a second time only if there are any: 10,000 series take 20ms."""
    if b'"warnings"' not in body:
        return []
    try:
        found = json.loads(body).get("warnings") or []
    except (ValueError, AttributeError, RecursionError):
        return []
    said = [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
    return [each for each in said if not each.startswith(_REMARK)]


def _without_port(instance: str) -> str:
    """`web1:9100` -> `web1`, `[::1]:9100` -> `::1`; a bare IPv6 address stays whole."""
    if instance.startswith("["):
        return instance[1:].partition("]")[0]
    name, colon, port = instance.rpartition(":")
    return name if colon and port.isdecimal() and ":" not in name else instance


def _odd(result: object) -> str:
    # A few levels of what may be nested as deeply as JSON can be read: str would give up.
    return one_line(f"not an answer of Prometheus: {reprlib.repr(result)}")
