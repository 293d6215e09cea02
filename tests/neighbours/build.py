"""Build what takes long before the tests begin, whose time limits are not made for it."""

from agent.demo import roundup
from tests.neighbours import systemd_host
from tests.neighbours.rootfs import rootfs


def main() -> None:
    roundup.installed()
    if systemd_host.missing() is None:
        rootfs()


if __name__ == "__main__":
    main()
