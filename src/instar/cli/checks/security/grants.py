"""Who holds which rights, and whether they are used."""

from datetime import UTC, datetime, timedelta
from typing import Any

from instar.cli.checks.check import NotApplicableError, Scene

IDLE = timedelta(days=90)
_WIDE = frozenset({"admin", "keys", "operate", "devices"})
_NAMED_MAX = 5
_MADE = ("key", "agent")
"""The kinds of grant that somebody made by hand and has to end by hand."""


def living_keys(listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the keys that hold: sessions end by themselves, devices and people are counted as what they are."""
    now = datetime.now(UTC).isoformat()
    made = [each for each in listed if each.get("kind", "key") in _MADE and not each.get("revoked_at")]
    return [each for each in made if each.get("expires_at", "9999") > now]


def window_open(scene: Scene) -> str:
    """Whether unknown devices may ask just now."""
    window = scene.told("pairing.status")
    return f"unknown devices may ask until {window['closes_at']}" if window["is_open"] else ""


def auto_approve(scene: Scene) -> str:
    """Whether the hub lets devices in by itself that only present the shared secret."""
    if scene.setting("pairing.auto_approve") != "loopback":
        return ""
    return "every program on this machine that knows the shared secret becomes a device without being asked"


def devices_waiting(scene: Scene) -> str:
    """Whether devices wait for a decision."""
    return _listed([_name(each) for each in scene.told("devices.requests")["requests"]], "wait to be let in")


def devices_stale(scene: Scene) -> str:
    """Whether devices that nobody uses still have rights."""
    idle = [_name(each) for each in _devices(scene) if _is_idle(each, "last_seen_at")]
    return _listed(idle, f"were not seen for {IDLE.days} days")


def devices_wide(scene: Scene) -> str:
    """Whether devices may do what only the operator should."""
    wide = [
        _name(each) for each in _devices(scene) if any(_WIDE & set(grant["scopes"]) for grant in each.get("grants", ()))
    ]
    return _listed(wide, "may administer the hub")


def devices_keyless(scene: Scene) -> str:
    """Whether devices come with a token alone, which can be copied."""
    keyless = [_name(each) for each in _devices(scene) if not each.get("fingerprint")]
    return _listed(keyless, "have no key: whoever copies their token is them")


def keys_without_expiry(scene: Scene) -> str:
    """Whether keys hold for ever."""
    return _listed([each["name"] for each in _keys(scene) if not each.get("expires_at")], "never end")


def keys_unused(scene: Scene) -> str:
    """Whether keys that nobody uses still hold."""
    return _listed([each["name"] for each in _keys(scene) if _is_idle(each, "last_used_at")], "are not used")


def keys_wide(scene: Scene) -> str:
    """Whether keys may do what only the operator should."""
    return _listed([each["name"] for each in _keys(scene) if _WIDE & set(each["scopes"])], "may administer the hub")


def people_unused(scene: Scene) -> str:
    """Whether people who never come may still sign in."""
    return _listed([each["login"] for each in _people(scene) if _is_idle(each, "last_used_at")], "did not sign in")


def people_wide(scene: Scene) -> str:
    """Whether a guessed password would give the whole hub away."""
    wide = [each["login"] for each in _people(scene) if _WIDE & set(each["scopes"])]
    return _listed(wide, "may administer the hub with a password alone")


def audit_chain(scene: Scene) -> str:
    """Whether the audit log is whole."""
    proof = scene.told("audit.verify")
    return "" if proof["is_whole"] else f"entry {proof.get('broken_at', 0)}: {proof['problem']}"


def _devices(scene: Scene) -> list[dict[str, Any]]:
    return [each for each in scene.told("devices.list")["devices"] if not each.get("revoked_at")]


def _keys(scene: Scene) -> list[dict[str, Any]]:
    return living_keys(scene.told("keys.list")["keys"])


def _people(scene: Scene) -> list[dict[str, Any]]:
    found = [each for each in scene.told("people.list")["people"] if not each.get("disabled_at")]
    if not found:
        raise NotApplicableError("nobody signs in with a password")
    return found


def _is_idle(holder: dict[str, Any], used: str) -> bool:
    """Whether it was made long ago and not used since."""
    latest = holder.get(used) or holder["created_at"]
    return datetime.fromisoformat(latest) < datetime.now(UTC) - IDLE


def _name(device: dict[str, Any]) -> str:
    return str(device["facts"].get("name") or device["id"][:12])


def _listed(names: list[str], what: str) -> str:
    more = f" and {len(names) - _NAMED_MAX} more" if len(names) > _NAMED_MAX else ""
    return f"{', '.join(names[:_NAMED_MAX])}{more} {what}" if names else ""
