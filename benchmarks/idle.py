"""Memory of idle attachments: PSS of the hub's process with thousands of attached readers that say nothing."""

import subprocess
from typing import Any

from .fanout import build
from .hub import running

ATTACHMENTS = 5_000


def measure() -> dict[str, Any]:
    """Return the KiB per attachment at 5,000, and the resident memory at rest."""
    with running("--auth-mode", "none", "--set", "limits.streams_per_principal=10000") as hub:
        resting = hub.memory_bytes("Rss")
        before = hub.memory_bytes()
        words = [str(build()), str(hub.port), str(ATTACHMENTS), "0", "8", "1", "general", "0"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as client:
            assert client.stderr is not None
            line = client.stderr.readline()
            after = hub.memory_bytes()
            client.wait(60)
    return {
        "attached": line.strip(),
        "kib_per_attachment": round((after - before) / 1024 / ATTACHMENTS, 1),
        "bar_kib": 24,
        "resident_at_rest_mib": round(resting / 1024**2, 1),
        "bar_resident_mib": 120,
    }
