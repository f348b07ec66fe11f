"""Checks of remote execution: what the hub itself says of it, by the ids of the Remote Exec Status panel."""

from collections.abc import Callable

from .check import NotApplicableError, Scene


def of(check_id: str) -> Callable[[Scene], str]:
    """Return the probe that tells what the running hub found under this id, with the step that mends each."""

    def probe(scene: Scene) -> str:
        named = [check for check in scene.told("nodes.exec_status").get("checks", ()) if check["id"] == check_id]
        if not named:
            raise NotApplicableError("there is nothing to look at")
        found = [check for check in named if check["level"] != "ok"]
        return " ".join(f"{check['message']} {check.get('hint', '')}".strip() for check in found)

    return probe
