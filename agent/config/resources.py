"""What an emergency needs, and the checks that show it usable."""

from agent.config.names import named, refer
from agent.config.source import Folder
from agent.config.validation import validate
from agent.model.plan import Resource


def read_resources(source: Folder) -> dict[str, Resource]:
    resources: dict[str, Resource] = {}
    for name, authored in named(source, "resources"):
        path = ("resources", name)
        resource, findings = validate(Resource, authored, path, source.reach, {"name": name})
        source.report_all(findings)
        if resource is not None:
            resources[name] = resource
            refer(source, (*path, "check"), "checks", resource.check)
    return resources
