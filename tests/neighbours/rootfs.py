"""The root file system that all test hosts share: a Debian with systemd, sshd, sudo and a small shop.

Built once with debootstrap (about a minute, 300 MB) and kept in the cache under a name that changes
with the recipe.
"""

import hashlib
import subprocess
from pathlib import Path

from agent.demo.cache import kept

SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
PACKAGES = "systemd,systemd-sysv,dbus,openssh-server,sudo,python3,iproute2,procps,busybox-static,ca-certificates"

FILES = {
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/sudoers.d/ops": "ops ALL=(ALL) NOPASSWD: ALL\n",
    "etc/ssh/sshd_config.d/tests.conf": "UseDNS no\nMaxStartups 1000:30:2000\nMaxSessions 200\n",
    "srv/shop/index.html": "<h1>The shop is open</h1>\n",
    "srv/shop/healthz": "ok\n",
    "usr/local/bin/shop-db": """\
#!/usr/bin/python3
import socketserver


class Ready(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"ready\\n")


socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("0.0.0.0", 5432), Ready).serve_forever()
""",
    "etc/systemd/system/shop-web.service": """\
[Unit]
Description=The shop's web server, for tests to break
[Service]
ExecStart=/usr/bin/python3 -m http.server 8080 --directory /srv/shop
Restart=no
[Install]
WantedBy=multi-user.target
""",
    "etc/systemd/system/shop-db.service": """\
[Unit]
Description=The shop's database, for tests to break
[Service]
ExecStart=/usr/local/bin/shop-db
Restart=no
[Install]
WantedBy=multi-user.target
""",
}

SETTLE = """\
set -eu
chmod 755 /usr/local/bin/shop-db
chmod 440 /etc/sudoers.d/ops
useradd --create-home --shell /bin/bash ops
systemctl enable shop-web.service shop-db.service
systemctl mask apt-daily.timer apt-daily-upgrade.timer fstrim.timer e2scrub_all.timer
rm -f /etc/ssh/ssh_host_* /etc/hostname
ssh-keygen -q -t ed25519 -N '' -C tests -f /client_key
for home in /root /home/ops; do
    install -d -m 700 "$home/.ssh"
    install -m 600 /client_key.pub "$home/.ssh/authorized_keys"
done
chown -R ops:ops /home/ops/.ssh
apt-get clean
"""


def rootfs() -> Path:
    """The folder holding `root` and `client_key`, the private key that opens every host."""
    recipe = repr((SUITE, MIRROR, PACKAGES, FILES, SETTLE))
    return kept(f"rootfs-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}", _build)


def _build(folder: Path) -> None:
    root = folder / "root"
    # Its own mount namespace: debootstrap mounts /proc in the new root and leaves it there.
    _run("unshare", "--mount", "debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root), MIRROR)
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    _run("chroot", str(root), "sh", "-c", SETTLE)
    (root / "client_key").rename(folder / "client_key")
    (root / "client_key.pub").rename(folder / "client_key.pub")


def _run(*words: str) -> None:
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words[:4])} … ended with {done.returncode}:\n{done.stdout[-3000:]}")
