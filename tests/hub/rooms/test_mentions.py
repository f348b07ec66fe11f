import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.hub.rooms.mentions import MemberNames, candidates, resolve
from instar.wire.limits import MENTIONS_MAX
from instar.wire.messages import Part, PartKind
from instar.wire.names import Network
from tests.hub.rooms.conftest import refused

LOCAL = Network("local", "Home Net")
NAMES = MemberNames(["alpha", "beta", "b.c", "net_b:gamma", "net_b:beta2", "beta2", "dash-", "und_"], LOCAL)
ALPHA, BETA, GAMMA = "molt://local/agents/alpha", "molt://local/agents/beta", "molt://net_b/agents/gamma"


def text(*texts: str) -> list[Part]:
    return [Part(PartKind.TEXT, each) for each in texts]


@pytest.mark.parametrize(
    ("said", "mentioned"),
    [
        ("hi @beta", [BETA]),
        ("hi @beta.", [BETA]),
        ("hi @beta...", [BETA]),
        ("hi @beta, @alpha!", [BETA, ALPHA]),
        ("@beta: look", [BETA]),
        ("@beta-", [BETA]),
        ("_@beta_", [BETA]),
        ("(@beta)", [BETA]),
        ("@dash-", ["molt://local/agents/dash-"]),
        ("@und_.", ["molt://local/agents/und_"]),
        ("@b.c.", ["molt://local/agents/b.c"]),
        ("@beta @beta @beta.", [BETA]),
        ("mail a@beta.com", []),
        ("mail a@beta", []),
        ("mail a.b_@beta", []),
        ("https://host/@beta", []),
        ("@beta.com", []),
        ("@nobody", []),
        ("@Beta", []),
        ("@gamma", [GAMMA]),
        ("@net_b:gamma.", [GAMMA]),
        ("@local:beta", [BETA]),
        ("@other:beta", []),
        ("@beta2", []),
        ("@net_b:beta2", ["molt://net_b/agents/beta2"]),
        ("<@molt://local/agents/beta>", [BETA]),
        ("<@molt://net_b/agents/gamma>", [GAMMA]),
        ("<@molt://local/rooms/beta>", []),
        ("@molt://local/agents/beta", []),
        ("@molt://local/agents/beta @alpha", [ALPHA]),
        ("@", []),
        ("@@beta", [BETA]),
        ("`@beta`", [BETA]),
        ("@beta" + "." * 5_000, [BETA]),
        ("@" + "b" * 5_000, []),
    ],
)
def test_text(said: str, mentioned: list[str]) -> None:
    assert resolve((), text(said), NAMES) == mentioned


def test_explicit_mentions_come_first_and_once() -> None:
    explicit = ["beta", " @alpha", "molt://net_b/agents/gamma", "nobody", "molt://local/agents/beta"]
    assert resolve(explicit, text("@alpha"), NAMES) == [BETA, ALPHA, GAMMA]


def test_the_name_of_the_local_network_is_an_alias_outside_of_fqids() -> None:
    names = MemberNames(["beta"], Network("local", "home"))
    assert resolve(["home:beta"], (), names) == [BETA]
    assert resolve(["molt://home/agents/beta"], (), names) == []


def test_only_text_parts_mention() -> None:
    assert resolve((), [Part(PartKind.DATA, "@beta")], NAMES) == []


def test_an_address_of_a_member_called_like_its_host_names_nobody() -> None:
    assert resolve((), text("a@beta.com"), MemberNames(["beta.com"], LOCAL)) == []


async def test_too_many_are_refused() -> None:
    members = [f"a{n}" for n in range(MENTIONS_MAX + 1)]

    async def attempt() -> None:
        resolve(members, (), MemberNames(members, LOCAL))

    await refused("unprocessable_entity", attempt())


@given(st.text(alphabet=st.sampled_from("@<>ab.:-_/ molt"), max_size=60))
def test_whatever_is_said_names_members_only(said: str) -> None:
    for mention in resolve((), text(said), NAMES):
        assert mention.startswith("molt://")
    assert all(candidate in said for candidate in candidates(said))


@given(st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?", fullmatch=True), st.sampled_from(".,:;!?-_)\n"))
def test_any_member_is_named_before_punctuation(member: str, mark: str) -> None:
    assert resolve((), text(f"hi @{member}{mark}"), MemberNames([member], LOCAL)) == [f"molt://local/agents/{member}"]
