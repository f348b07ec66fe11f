"""The tools of models: what they are shown, what a use becomes, and what a model reads of it."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from instar.base.errors import InstarError
from instar.hub.calls.agent_tools import AgentTools
from instar.hub.calls.catalogue import FILE_TOOLS
from instar.hub.identity.principals import Caller
from instar.wire.agent_tools import ToolResult
from instar.wire.approvals import Action, ApprovalState
from instar.wire.nodes import Node, NodeKind, NodeList
from instar.wire.operation import Operation
from tests.hub.calls.conftest import Bench, ScriptedGate
from tests.hub.calls.executors import ProcessExecutor, ScriptedExecutor

NODES = [Node("local", "Local", NodeKind.LOCAL, True), Node("box", "Box", NodeKind.NODE, True, fingerprint="f")]


class Desk:
    """Tools over a bench; nodes are a list."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.tools = AgentTools(bench.calls.targets, bench.calls.handlers.locate_wanted)
        self.tools.invoke = self.invoke
        for binding in self.tools.bindings():
            bench.bindings[binding.operation.name] = binding

    async def invoke(
        self, caller: Caller, operation: Operation[Any, Any], params: msgspec.Struct, *, idempotency_key: str = ""
    ) -> Any:
        if operation.name == "nodes.list":
            return NodeList(NODES)
        if operation.name == "nodes.get":
            found = [node for node in NODES if params.node_id in (node.id, node.name)]  # type: ignore[attr-defined]
            if not found:
                raise InstarError("not_found", "there is no such node")
            return found[0]
        return await self.bench.do(caller, operation.name, key=idempotency_key, **msgspec.to_builtins(params))

    async def use(self, tool: str, /, room: str = "", wait: float = 10.0, **arguments: Any) -> ToolResult:
        return await self.bench.do(
            self.bench.engine.admin, "tools.use", name=tool, arguments=arguments, room=room, wait=wait
        )

    async def shown(self) -> dict[str, Any]:
        found = await self.bench.do(self.bench.engine.admin, "tools.list")
        return {tool.name: tool.parameters for tool in found.tools}


@pytest.fixture
async def desk(make_bench: Callable[..., Any]) -> Desk:
    return Desk(await make_bench(ProcessExecutor(), ScriptedExecutor("box")))


async def test_a_machine_can_be_named_only_where_there_is_a_choice(desk: Desk) -> None:
    tools = await desk.shown()
    assert list(tools) == ["nodes_list", "nodes_describe", "nodes_select", "exec", *FILE_TOOLS]
    assert set(tools["exec"]["properties"]) == {"command", "timeout", "working_dir", "node"}
    assert tools["exec"]["required"] == ["command"]
    assert tools["exec"]["properties"]["node"]["description"].endswith("Connected now: Local, Box.")
    assert tools["exec"]["additionalProperties"] is False
    assert set(tools["read_file"]["properties"]) == {"path", "start_line", "end_line", "node"}
    desk.bench.target.leave("box")
    tools = await desk.shown()
    assert "node" not in tools["exec"]["properties"]
    assert tools["nodes_list"]["properties"] == {}


async def test_exec_runs_a_line_and_says_all_of_it(desk: Desk) -> None:
    result = await desk.use("exec", command="echo out; echo err >&2; exit 3")
    assert result.text == "out\nstderr:\nerr\nexit code: 3"
    assert result.data == {"stdout": "out\n", "stderr": "err\n", "exit_code": 3}
    assert not result.is_error


async def test_what_is_denied_is_read_with_its_reason(desk: Desk, gate: ScriptedGate) -> None:
    gate.action = Action.ASK
    pending = await desk.use("exec", command="rm -rf /", wait=0)
    assert pending.is_pending
    await desk.bench.until(lambda: pending.call_id in gate.approvals)
    gate.decide(pending.call_id, ApprovalState.DENIED, feedback="ask the team first")
    ended = await desk.bench.get(pending.call_id, wait=5)
    assert ended.error is not None
    gate.action = Action.DENY
    result = await desk.use("exec", command="rm -rf /")
    assert result.is_error
    assert result.text.startswith("Error (denied): ")
    assert result.data["error"]["code"] == "denied"


async def test_a_wrong_use_says_what_is_wrong(desk: Desk) -> None:
    result = await desk.use("exec", command="true", sudo=True)
    assert result.is_error
    assert "sudo" in result.text
    result = await desk.use("teleport")
    assert "nodes_list" in result.text
    result = await desk.use("exec", command="true", node="nowhere")
    assert result.data["error"]["code"] == "no_target"


async def test_nodes_are_listed_and_described(desk: Desk) -> None:
    listed = await desk.use("nodes_list")
    assert [node["id"] for node in listed.data["nodes"]] == ["local", "box"]
    assert "fingerprint" not in listed.data["nodes"][1]
    assert (await desk.use("nodes_describe", node="Box")).data["id"] == "box"
    assert (await desk.use("nodes_describe", node="nowhere")).is_error


async def test_a_selected_machine_is_where_calls_really_go(desk: Desk) -> None:
    bench = desk.bench
    await bench.engine.room("den", "operator")
    assert (await desk.use("nodes_select", node="box")).is_error, "without a room there is nothing to choose it for"
    done = await desk.use("nodes_select", room="room:den", node="Box")
    assert done.data == {"ok": True, "node_id": "box"}
    await bench.restart()
    desk = Desk(bench)
    call = await bench.ask(room="room:den")
    assert (call.target_id, call.routed_by) == ("box", "room")
    assert (await bench.ask()).target_id == "local"
    assert (await desk.use("nodes_select", room="room:den", node="nowhere")).is_error
    done = await desk.use("nodes_select", room="room:den", node=None)
    assert done.data == {"ok": True, "node_id": None}
    assert (await bench.ask(room="room:den")).target_id == "local"


async def test_a_field_that_a_tool_does_not_take_is_refused_by_name(desk: Desk) -> None:
    for tool, arguments, unknown, taken in (
        (
            "read_file",
            {"path": "a", "startLine": 3, "lines": 4},
            "'startLine', 'lines'",
            "path, start_line, end_line, node",
        ),
        ("exec", {"command": "true", "cwd": "/"}, "'cwd'", "command, timeout, working_dir, node"),
        ("grep", {"pattern": "x", "path": "/", "glob": "*"}, "'glob'", "pattern, path, include, node"),
        ("nodes_describe", {"node": "box", "verbose": True}, "'verbose'", "node"),
        ("nodes_list", {"node": "box"}, "'node'", ""),
    ):
        said = await desk.use(tool, **arguments)
        assert said.is_error
        assert said.data["error"]["code"] == "unprocessable_entity"
        assert said.data["error"]["message"] == f"`{tool}` takes no {unknown}"
        assert said.data["error"]["hint"] == (f"It takes: {taken}." if taken else "It takes nothing.")
    assert not desk.bench.gate.asked
