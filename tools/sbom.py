"""Write the bill of materials of what is installed where the agent runs: `python -m tools.sbom FILE`.

CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/), from requirements.txt. Licences and dependencies are what the
packages say of themselves, so they must be installed here in the locked versions. The same lock gives the same
bytes: no time is in it, and its serial number is made of the lock.
"""

import sys
import uuid
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License, LicenseAcknowledgement
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from tools.locked import RUNTIME, Locked, read

_SPDX = LicenseFactory()


class NotAsLocked(Exception):
    """What is installed here is not what the lock says, so it cannot speak for it."""


def bill(lock: Path = RUNTIME) -> Bom:
    """Paramedic and each package of the lock. Raises NotAsLocked."""
    packages = [package for package in read(lock) if package.is_for_linux]
    components = {package.name: _component(package) for package in packages}
    paramedic = _described(distribution("paramedic"), ComponentType.APPLICATION)
    bom = Bom(components=components.values(), serial_number=uuid.uuid5(uuid.NAMESPACE_URL, lock.read_text("utf-8")))
    bom.metadata.timestamp = None  # type: ignore[assignment]  # optional in CycloneDX, and another each time
    bom.metadata.component = paramedic
    for component in (paramedic, *components.values()):
        needs = needed_by(distribution(component.name))
        bom.register_dependency(component, [components[name] for name in needs if name in components])
    return bom


def _component(package: Locked) -> Component:
    try:
        installed = distribution(package.name)
    except PackageNotFoundError:
        raise NotAsLocked(f"{package.name} is not installed here") from None
    if installed.version != package.version:
        raise NotAsLocked(f"{package.name} is installed as {installed.version}, locked as {package.version}")
    component = _described(installed, ComponentType.LIBRARY)
    # A component's own hashes are of one file; here any of the published ones may be what is installed.
    component.external_references.add(
        ExternalReference(
            type=ExternalReferenceType.DISTRIBUTION,
            url=XsUri(str(component.purl)),
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=each) for each in package.hashes],
        )
    )
    return component


def _described(installed: Distribution, kind: ComponentType) -> Component:
    name = canonicalize_name(installed.name)
    purl = PackageURL("pypi", name=name, version=installed.version)
    return Component(
        type=kind, name=name, version=installed.version, purl=purl, bom_ref=str(purl), licenses=_licences(installed)
    )


def _licences(installed: Distribution) -> Iterable[License]:
    """An SPDX expression where the package gives one, else what it calls its licence, else its classifiers."""
    said = installed.metadata
    own = next((said[key].strip() for key in ("License-Expression", "License") if key in said), "")
    if not own or "\n" in own:  # the whole text of the licence, that is
        classified = (each for each in said.get_all("Classifier", ()) if each.startswith("License :: "))
        names = [each.rpartition(" :: ")[2] for each in classified]
    else:
        names = [own]
    declared = LicenseAcknowledgement.DECLARED
    return [_SPDX.make_from_string(each, license_acknowledgement=declared) for each in names]


def needed_by(installed: Distribution) -> list[NormalizedName]:
    """What a package says it cannot do without on a machine like this."""
    wanted = [Requirement(line) for line in installed.requires or ()]
    return [canonicalize_name(each.name) for each in wanted if not each.marker or each.marker.evaluate({"extra": ""})]


def main(place: Path) -> int:
    """Exit code: 0, or 1 when what is installed is not what is locked."""
    try:
        text = JsonV1Dot6(bill()).output_as_string(indent=2)
    except NotAsLocked as error:
        print(f"sbom: {error}: tools/setup run", file=sys.stderr)
        return 1
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text + "\n", encoding="utf-8")
    print(place)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
