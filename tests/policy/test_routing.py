"""The truth table of routing (docs/routing.md), run as a matrix."""

import itertools

import pytest

from instar.policy.routing import Choices, Listed, TargetFacts, route

LOCAL = TargetFacts("local", "local", "local", {"os": "linux", "gpu": "no"}, True)
ALPHA = TargetFacts("dev_1", "Alpha", "node", {"os": "linux", "gpu": "yes"}, True, ("alias-a",), load=2)
BETA = TargetFacts("dev_2", "beta", "node", {"os": "darwin", "gpu": "yes"}, True, load=1)
AWAY = TargetFacts("dev_3", "away", "node", {"os": "linux", "tape": "yes"}, False)
TWIN_1 = TargetFacts("dev_4", "twin", "node", {}, True)
TWIN_2 = TargetFacts("dev_5", "Twin", "node", {}, True)
SSH = TargetFacts("ssh:1", "web", "ssh", {"os": "linux"}, True, is_default=True, load=9)
OTHER = TargetFacts("ssh:2", "other", "ssh", {}, True)
ALL = Listed((LOCAL, ALPHA, BETA, AWAY, TWIN_1, TWIN_2, SSH, OTHER))

EXPRESSIONS = [
    ("local", "local", ""), ("dev_1", "dev_1", ""), ("alias-a", "dev_1", ""), ("alpha", "dev_1", ""),
    ("ALPHA", "dev_1", ""),
    ("beta", "dev_2", ""), ("dev_3", "dev_3", "node_away"), ("away", "dev_3", "node_away"), ("twin", "", "no_target"),
    ("dev_4", "dev_4", ""), ("ssh", "ssh:1", ""), ("ssh:web", "ssh:1", ""), ("ssh:1", "ssh:1", ""),
    ("ssh:gone", "", "no_target"),
    ("web", "ssh:1", ""), ("gpu=yes", "dev_2", ""), ("gpu=yes,os=linux", "dev_1", ""), ("os=linux", "local", ""),
    ("tape", "dev_3", "node_away"), ("tape=no", "", "no_target"), ("gone", "", "no_target"), ("a b", "", "no_target"),
    ("os in (darwin,plan9)", "dev_2", ""), ("gpu=yes,!tape,os!=linux", "dev_2", ""), ("LOCAL", "local", ""),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "target_id", "code"), EXPRESSIONS)
@pytest.mark.parametrize("row", range(4))
def test_what_an_expression_means_at_each_row(row: int, wanted: str, target_id: str, code: str) -> None:
    choices = Choices(*("" if at != row else wanted for at in range(4)))
    routed = route(choices, ALL)
    assert routed.by == ("call", "room", "agent", "org")[row]
    assert (routed.target.id if routed.target else "") == target_id
    assert (routed.error.code if routed.error else "") == code


STATES = {"unset": ("", "local", ""), "there": ("dev_1", "dev_1", ""), "away": ("dev_3", "dev_3", "node_away"),
          "gone": ("nothing", "", "no_target"), "twice": ("twin", "", "no_target"),
          "local": ("local", "local", "")}  # fmt: skip


@pytest.mark.parametrize("states", list(itertools.product(STATES, repeat=4)))
def test_the_first_row_that_is_set_decides_alone(states: tuple[str, ...]) -> None:
    routed = route(Choices(*(STATES[state][0] for state in states)), ALL)
    first = next((state for state in states if state != "unset"), "unset")
    by = next((name for name, state in zip(Choices._fields, states, strict=True) if state != "unset"), "local")
    _, target_id, code = STATES[first]
    assert routed.by == by
    assert (routed.target.id if routed.target else "") == target_id
    assert (routed.error.code if routed.error else "") == code
    assert [step.by for step in routed.steps] == [*Choices._fields, "local"]


def test_a_default_ssh_target_is_never_used_unless_chosen() -> None:
    assert route(Choices(), Listed((LOCAL, SSH))).target == LOCAL
    assert route(Choices(call="local", org="ssh"), Listed((LOCAL, SSH))).target == LOCAL
    without = route(Choices(call="ssh"), Listed((LOCAL, OTHER)))
    assert without.error is not None
    assert without.error.code == "no_target"


@pytest.mark.parametrize(
    "choices", [Choices(), Choices(call="local"), Choices(org="local"), Choices(call="os=linux,gpu=no")]
)
def test_where_local_is_forbidden_nothing_runs_there(choices: Choices) -> None:
    routed = route(choices, ALL, is_local_forbidden=True)
    assert routed.target is None
    assert routed.error is not None
    assert routed.error.code == "no_target"
    assert route(Choices(call="os=linux"), ALL, is_local_forbidden=True).target == ALPHA


def test_of_several_the_least_loaded_then_the_first_by_name() -> None:
    idle = [TargetFacts(f"dev_{name}", name, "node", {"a": "b"}, True) for name in ("c", "a", "b")]
    assert route(Choices(call="a=b"), Listed(idle)).target == idle[1]
    assert route(Choices(call="a=b"), Listed([idle[0], AWAY._replace(labels={"a": "b"})])).target == idle[0]


def test_without_a_machine_of_its_own_local_is_no_target() -> None:
    routed = route(Choices(), Listed((ALPHA,)))
    assert routed.error is not None
    assert routed.error.code == "no_target"


@pytest.mark.parametrize("wanted", ["local", "dev_1", "dev_3", "ssh:1", ""])
def test_who_is_named_by_its_id_is_looked_up_and_the_others_are_left_alone(wanted: str) -> None:
    class Indexed:
        def find(self, target_id: str, /) -> TargetFacts | None:
            return ALL.find(target_id)

        def facts(self) -> list[TargetFacts]:
            raise AssertionError("nobody asked for all of them")

    assert route(Choices(org=wanted), Indexed()) == route(Choices(org=wanted), ALL)
