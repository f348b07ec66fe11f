from msgspec import Raw
from msgspec.structs import replace

from instar.policy.digest import canonical, plan_digest
from instar.wire.execution import FileFact, Plan, Sandbox

PLAN = Plan(
    "dev_1", "exec", Raw(b'{"argv":["ls","-l"]}'), "/srv", ["/bin/ls", "-l"], {"TERM": "x", "LANG": "C"},
    [FileFact("/bin/ls", "0" * 64, 10, "executable")], timeout_s=30.0,
)  # fmt: skip


def test_the_spelling_does_not_count() -> None:
    assert canonical({"b": 1, "a": Raw(b'{ "d": 1, "c": 2 }')}) == b'{"a":{"c":2,"d":1},"b":1}'
    again = replace(PLAN, args=Raw(b'{ "argv" : [ "ls", "\\u002dl" ] }'), env={"LANG": "C", "TERM": "x"})
    assert plan_digest(again) == plan_digest(PLAN)
    assert plan_digest(PLAN).startswith("sha256:")


def test_everything_else_counts() -> None:
    others = [
        replace(PLAN, target_id="dev_2"), replace(PLAN, tool="shell"), replace(PLAN, args=Raw(b'{"argv":["ls"]}')),
        replace(PLAN, cwd="/"), replace(PLAN, argv=["/bin/ls"]), replace(PLAN, env={"TERM": "x"}),
        replace(PLAN, files=[]),
        replace(PLAN, files=[replace(PLAN.files[0], sha256="1" * 64)]), replace(PLAN, sandbox=Sandbox.STRICT),
        replace(PLAN, has_terminal=True), replace(PLAN, timeout_s=31.0), replace(PLAN, is_background=True),
    ]  # fmt: skip
    assert len({plan_digest(each) for each in [PLAN, *others]}) == len(others) + 1
