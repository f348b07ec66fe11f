"""The HTTP side of the `moltnet` command: the requests that each subcommand makes, and what it takes for success."""

import http.client
import json
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from msgspec import Struct

from . import shapes

S = TypeVar("S", bound=Struct)

TIMEOUT_S = 10.0
SKILL_TIMEOUT_S = 2.0
SKILL_MAX_BYTES = 256 * 1024
SKILL_NAME = "name: moltnet"


class RequestRefusedError(Exception):
    """The command ends with exit code 1: the server answered with another status than 2xx."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"moltnet returned {status}: {body.decode(errors='replace').strip()}")
        self.status = status
        self.body = body


class NotAttachedError(Exception):
    """The command refuses a target that its own configuration does not name."""


@dataclass(slots=True)
class Cli:
    """One attachment of a client configuration, and the commands that use it.

    Args:
        base_url: As in the configuration; a trailing slash does no harm.
        network_id: The network that the configuration names.
        member_id: The agent as which it speaks.
        token: Sent as a bearer credential when there is one.
        agent_name: Display name.
        rooms: Rooms that the configuration attaches.
        dms: Whether it attaches direct messages.
        auth_mode: none, bearer or open.
    """

    base_url: str
    network_id: str
    member_id: str
    token: str = ""
    agent_name: str = ""
    rooms: tuple[str, ...] = ()
    dms: bool = False
    auth_mode: str = "none"
    skill: str = ""
    """The skill text that `connect` installed."""
    bundled: bool = field(default=False)
    """Whether `connect` had to fall back to the text in the binary."""

    # Commands

    def connect(self) -> None:
        """`connect`: register where the mode is open, then fetch the skill; a hub that has none is no failure."""
        if self.auth_mode == "open":
            registration = self.register()
            self.token = registration.agent_token or self.token
        self.skill = self._fetch_skill()
        self.bundled = not self.skill

    def register(self) -> shapes.AgentRegistration:
        """`register-agent`: claim the member id; the answer must be for this network and id."""
        body: dict[str, Any] = {"requested_agent_id": self.member_id}
        if self.agent_name:
            body["name"] = self.agent_name
        return self._ask("POST", "/v1/agents/register", shapes.AgentRegistration, body)

    def conversations(self) -> tuple[list[shapes.Room], list[shapes.DirectConversation]]:
        """`conversations`: the attached rooms among those that the hub lists, and the direct conversations."""
        rooms = self._ask("GET", "/v1/rooms", shapes.RoomPage).rooms
        mine = sorted((room for room in rooms if room.id in self.rooms), key=lambda room: room.id)
        dms = self._ask("GET", "/v1/dms", shapes.DmPage).dms if self.dms else []
        return mine, dms

    def read(self, target: str, limit: int = 20) -> shapes.MessagePage:
        """`read`: the latest page of a room or direct conversation."""
        kind, item_id = self._target(target)
        query = urlencode({"limit": limit})
        return self._ask("GET", f"/v1/{kind}s/{quote(item_id, safe='')}/messages?{query}", shapes.MessagePage)

    def participants(self, target: str) -> shapes.Room | shapes.DirectConversation:
        """`participants`: the room or the direct conversation itself."""
        kind, item_id = self._target(target)
        shape = shapes.Room if kind == "room" else shapes.DirectConversation
        return self._ask("GET", f"/v1/{kind}s/{quote(item_id, safe='')}", shape)

    def send(self, target: str, text: str) -> shapes.MessageAccepted:
        """`send`: one text part. A direct conversation is looked up first, for its participants."""
        kind, item_id = self._target(target)
        if kind == "room":
            goal: dict[str, Any] = {"kind": "room", "room_id": item_id}
        else:
            dm = self.participants(target)
            assert isinstance(dm, shapes.DirectConversation)
            goal = {"kind": "dm", "dm_id": dm.id, "participant_ids": dm.participant_ids}
        return self.post_message(goal, text)

    def post_message(self, target: dict[str, Any], text: str, **more: object) -> shapes.MessageAccepted:
        """Send as every part of the reference does: `origin` is always written, though empty."""
        actor = {"type": "agent", "id": self.member_id, "network_id": self.network_id}
        if self.agent_name:
            actor["name"] = self.agent_name
        body = {
            "origin": {"network_id": "", "message_id": ""},
            "target": target,
            "from": actor,
            "parts": [{"kind": "text", "text": text.strip()}],
            **more,
        }
        return self._ask("POST", "/v1/messages", shapes.MessageAccepted, body)

    # Administration

    def apply(self, rooms: list[dict[str, Any]], agents: list[dict[str, Any]] | None = None) -> shapes.Applied:
        """`apply`: declare rooms and agents."""
        body = {"network_id": self.network_id, "rooms": rooms}
        if agents:
            body["agents"] = agents
        return self._ask("POST", "/v1/apply", shapes.Applied, body)

    def add_members(self, room_id: str, *members: str) -> shapes.Room:
        """`admin room members add`."""
        return self._ask("PATCH", f"/v1/rooms/{quote(room_id, safe='')}/members", shapes.Room, {"add": list(members)})

    def remove_members(self, room_id: str, *members: str) -> shapes.Room:
        """`admin room members remove`."""
        return self._ask(
            "PATCH", f"/v1/rooms/{quote(room_id, safe='')}/members", shapes.Room, {"remove": list(members)}
        )

    def remove_room(self, room_id: str) -> shapes.Removed:
        """`admin room remove`."""
        return self._ask("DELETE", f"/v1/rooms/{quote(room_id, safe='')}", shapes.Removed)

    def remove_agent(self, agent_id: str) -> shapes.Removed:
        """`admin agent remove`."""
        return self._ask("DELETE", f"/v1/agents/{quote(agent_id, safe='')}", shapes.Removed)

    def probe(self) -> str:
        """`update --server`: the version of the hub."""
        return self._ask("GET", "/v1/network", shapes.Version).version.strip()

    def network(self) -> shapes.Network:
        """Read the network card as the preflight of a node does."""
        return self._ask("GET", "/v1/network", shapes.Network)

    # Carrying it out

    def _target(self, target: str) -> tuple[str, str]:
        kind, _, item_id = target.strip().partition(":")
        if kind not in {"room", "dm"} or not item_id:
            raise NotAttachedError(f"target must be room:<id> or dm:<id>, not {target!r}")
        if (kind == "room" and item_id not in self.rooms) or (kind == "dm" and not self.dms):
            raise NotAttachedError(f"{target} is not attached for member {self.member_id!r}")
        return kind, item_id

    def _ask(self, method: str, path: str, shape: type[S], body: object = None) -> S:
        status, payload = self.request(method, path, body)
        if not 200 <= status < 300:
            raise RequestRefusedError(status, payload)
        return shapes.decode(payload, shape)

    def _fetch_skill(self) -> str:
        status, payload = self.request("GET", "/skill.md", timeout_s=SKILL_TIMEOUT_S, cap=SKILL_MAX_BYTES + 1)
        text = payload.decode(errors="replace")
        return text if status == 200 and len(payload) <= SKILL_MAX_BYTES and SKILL_NAME in text else ""

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        timeout_s: float = TIMEOUT_S,
        cap: int = shapes.REPLY_MAX_BYTES,
    ) -> tuple[int, bytes]:
        """Send one request and return status and body, cut at `cap` bytes."""
        address = urlsplit(self.base_url.rstrip("/"))
        carrier = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        connection = carrier(address.netloc, timeout=timeout_s)
        headers = {"User-Agent": "Go-http-client/1.1", "Accept-Encoding": "identity"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        payload = None
        if body is not None:
            payload = json.dumps(body, separators=(",", ":")).encode() if not isinstance(body, bytes) else body
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, address.path + path, payload, headers)
            response = connection.getresponse()
            return response.status, response.read(cap)
        finally:
            connection.close()
