"""A real sshd on loopback, as a normal process with keys of its own; nothing of the machine's configuration is read."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
CLIENT = shutil.which("ssh")
_PRIVILEGE_SEPARATION = Path("/run/sshd")


def missing() -> str:
    """Return why no sshd can run here, empty when one can."""
    return "" if SSHD and CLIENT else "the machine has no sshd or no ssh (packages openssh-server, openssh-client)"


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "", *more: str) -> Path:
    """Make a key pair with OpenSSH's own tool."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", str(path), "-C", "test", *more], check=True)
    return path


class Sshd:
    """One daemon."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.user = getpass.getuser()
        self.host_key = make_key(folder / "host_ed25519")
        self.login_key = make_key(folder / "login")
        self.authorized = folder / "authorized_keys"
        self.authorized.write_text(self.login_key.with_suffix(".pub").read_text())
        self.client_config = folder / "client_config"
        self.client_config.write_text(
            f"IdentityFile {self.login_key}\nIdentitiesOnly yes\nIdentityAgent none\n"
            f"UserKnownHostsFile {folder}/known_hosts\nGlobalKnownHostsFile /dev/null\nStrictHostKeyChecking no\n"
        )
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"{self.user}@127.0.0.1"

    @property
    def client(self) -> tuple[str, ...]:
        """The client, which reads this daemon's configuration instead of the account's."""
        return (str(CLIENT), "-F", str(self.client_config))

    @property
    def known_host(self) -> str:
        """The line to pin."""
        kind, blob = self.host_key.with_suffix(".pub").read_text().split()[:2]
        return f"[127.0.0.1]:{self.port} {kind} {blob}"

    def start(self) -> None:
        """Start it, on the port that it had before."""
        if os.geteuid() == 0:
            _PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", self.port))
            self.port = free.getsockname()[1]
        settings = {
            "Port": self.port, "ListenAddress": "127.0.0.1", "HostKey": self.host_key, "PidFile": "none",
            "AuthorizedKeysFile": self.authorized, "StrictModes": "no", "UsePAM": "no", "PermitRootLogin": "yes",
            "PasswordAuthentication": "no", "KbdInteractiveAuthentication": "no", "AcceptEnv": "none",
            "MaxStartups": "200", "LogLevel": "ERROR", "PrintMotd": "no", "UseDNS": "no",
        }  # fmt: skip
        config = self.folder / "sshd_config"
        config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        with (self.folder / "sshd.log").open("ab") as log:
            self._process = subprocess.Popen([str(SSHD), "-D", "-e", "-f", str(config)], stderr=log)
        self._await()

    def stop(self) -> None:
        """Stop it; connections under way go on, as with any sshd."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def change_host_key(self) -> None:
        """Come back with another host key, as another machine would."""
        self.stop()
        for path in (self.host_key, self.host_key.with_suffix(".pub")):
            path.unlink()
        make_key(self.host_key)
        self.start()

    def _await(self) -> None:
        for _ in range(500):
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as link:
                    if link.recv(4) == b"SSH-":
                        return
            except OSError:
                time.sleep(0.01)
        raise AssertionError((self.folder / "sshd.log").read_text())
