"""Every parser of what people, hosts and servers say."""

from tests.fuzz import authored, control, wire

TARGETS = (*authored.TARGETS, *wire.TARGETS, *control.TARGETS)
