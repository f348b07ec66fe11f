"""People: added within the creator's rights, disabled and enabled, given other passwords, removed."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from instar.base.errors import InstarError
from instar.hub.identity.authentication import Credential
from instar.hub.identity.identity import Identity
from instar.hub.identity.principals import Caller
from instar.wire import identity as keys
from instar.wire import people as wire
from instar.wire.events import KEYRING
from instar.wire.identity import PrincipalKind, Scope

from .conftest import PASSWORD, World, cheap

OTHER = "another long password"


async def refused(work: Any) -> InstarError:
    with pytest.raises(InstarError) as caught:
        await work
    return caught.value


async def key(world: World, *scopes: str, **more: Any) -> Caller:
    """Return the caller of a new key."""
    wanted = msgspec.convert({"name": "k", "scopes": scopes, **more}, keys.CreateKey)
    made = await world.do(world.operator, keys.KEYS_CREATE, wanted)
    return world.identity.authenticate(Credential(made.token))


async def test_a_person_signs_in_and_is_somebody(world: World) -> None:
    person = await world.add("Ada", "observe", "write", name="Ada L.", rooms=["review"])
    assert person.id.startswith("usr_")
    assert (person.login, person.name, person.scopes, person.rooms) == (
        "ada",
        "Ada L.",
        ["observe", "write"],
        ["review"],
    )
    caller = await world.sign_in("ADA")
    assert caller.principal == keys.Principal(person.id, PrincipalKind.PERSON, "Ada L.")
    assert caller.grant.kind == "session"
    assert caller.grant.scopes == {Scope.OBSERVE, Scope.WRITE}
    assert caller.grant.rooms == {"review"}


async def test_the_password_is_nowhere_but_in_its_hash(world: World) -> None:
    await world.add()
    await world.session()
    await world.do(world.operator, wire.SET_PASSWORD, wire.SetPassword("ada", OTHER))
    for event in await world.events():
        assert PASSWORD.encode() not in event.payload
        assert OTHER.encode() not in event.payload
        assert b"argon2" not in event.payload
    rows = await world.store.read(lambda reader: reader.rows("SELECT password FROM people"))
    assert rows[0][0].startswith("$argon2id$")
    held = await world.store.read(lambda reader: reader.rows("SELECT request, result FROM ledger"))
    assert held == []


async def test_nobody_adds_more_than_one_has(world: World) -> None:
    clerk = await key(world, "keys", "write", rooms=["review"])
    assert (await refused(world.add("bob", "admin", by=clerk))).code == "forbidden"
    assert (await refused(world.add("bob", "write", by=clerk, rooms=["other"]))).code == "forbidden"
    assert (await world.add("bob", "write", by=clerk)).rooms == ["review"]
    outsider = await key(world, "admin", "write")
    assert (await refused(world.add("eve", "write", by=outsider))).code == "forbidden"
    assert (await refused(world.people(outsider))).code == "forbidden"
    # Of who is wider than oneself, nothing can be done, and nothing is known.
    await world.add("boss", "admin", "write")
    for operation, params in (
        (wire.DISABLE, wire.PersonRef("boss")),
        (wire.ENABLE, wire.PersonRef("boss")),
        (wire.REMOVE, wire.PersonRef("boss")),
        (wire.SET_PASSWORD, wire.SetPassword("boss", OTHER)),
    ):
        found = await refused(world.do(clerk, operation, params))
        missing = await refused(world.do(clerk, operation, msgspec.structs.replace(params, person_id="nobody")))
        assert (found.code, found.message, found.hint) == (missing.code, missing.message, missing.hint)
        assert found.code == "not_found"
    assert (await world.people())["boss"].disabled_at == ""


async def test_logins_are_one_whatever_their_case_and_never_look_like_ids(world: World) -> None:
    await world.add("Ada")
    assert (await refused(world.add("aDA"))).code == "conflict"
    assert (await refused(world.add("usr_1"))).code == "unprocessable_entity"
    for login in ("", "a b", "-a", "a" * 129, "ä"):
        with pytest.raises(msgspec.ValidationError):
            await world.add(login)
    with pytest.raises(msgspec.ValidationError):
        await world.add("short", password="eleven char")


async def test_disabling_ends_all_that_came_of_a_person(world: World) -> None:
    person = await world.add("ada", "write", "keys")
    token = await world.session()
    session = await world.sign_in()
    made = await world.do(session, keys.KEYS_CREATE, keys.CreateKey("k", [Scope.WRITE]))
    ended: list[str] = []
    world.identity.on_ended(ended.append)
    disabled = await world.do(world.operator, wire.DISABLE, wire.PersonRef("ADA"))
    assert disabled.disabled_at
    assert session.grant.id in ended
    assert made.key.id in ended
    assert world.ended(token)
    assert world.ended(made.token)
    assert (await refused(world.session())).code == "unauthorized"
    again = await world.do(world.operator, wire.DISABLE, wire.PersonRef(person.id))
    assert again.disabled_at == disabled.disabled_at
    enabled = await world.do(world.operator, wire.ENABLE, wire.PersonRef("ada"))
    assert enabled.disabled_at == ""
    assert (enabled.id, enabled.scopes, enabled.rooms) == (person.id, person.scopes, person.rooms)
    assert (await world.sign_in()).principal.id == person.id
    assert world.ended(token)
    assert await world.do(world.operator, wire.ENABLE, wire.PersonRef("ada")) == (await world.people())["ada"]


async def test_a_person_ends_with_who_added_them_until_somebody_else_vouches(world: World) -> None:
    clerk = await key(world, "keys", "write")
    await world.add("ada", "write", by=clerk)
    await world.do(world.operator, keys.KEYS_REVOKE, keys.KeyRef(clerk.grant.id))
    assert (await world.people())["ada"].disabled_at
    assert (await refused(world.session())).code == "unauthorized"
    await world.do(world.operator, wire.ENABLE, wire.PersonRef("ada"))
    assert (await world.sign_in()).grant.scopes == {Scope.WRITE}


async def test_the_password_of_another_ends_every_session_of_theirs(world: World) -> None:
    await world.add()
    tokens = [await world.session(), await world.session()]
    await world.do(world.operator, wire.SET_PASSWORD, wire.SetPassword("ada", OTHER))
    assert all(world.ended(token) for token in tokens)
    assert (await refused(world.session())).code == "unauthorized"
    assert (await world.sign_in(password=OTHER)).grant.kind == "session"


async def test_ones_own_password_needs_the_current_one_and_keeps_the_session_in_use(world: World) -> None:
    await world.add()
    other, mine = await world.session(), await world.sign_in()
    wrong = await refused(world.do(mine, wire.SET_PASSWORD, wire.SetPassword("ada", OTHER, "not it")))
    assert wrong.code == "forbidden"
    assert (await refused(world.do(mine, wire.SET_PASSWORD, wire.SetPassword("ada", OTHER)))).code == "forbidden"
    await world.do(mine, wire.SET_PASSWORD, wire.SetPassword("ada", OTHER, PASSWORD))
    assert world.ended(other)
    assert world.identity.holds(mine.grant)
    assert (await refused(world.session())).code == "unauthorized"


async def test_guesses_of_the_current_password_are_counted(world: World) -> None:
    await world.add()
    mine = await world.sign_in()
    codes = [
        (await refused(world.do(mine, wire.SET_PASSWORD, wire.SetPassword("ada", OTHER, f"guess {n}")))).code
        for n in range(11)
    ]
    assert codes == ["forbidden"] * 10 + ["rate_limited"]


async def test_people_touch_nobody_else(world: World) -> None:
    await world.add()
    await world.add("bob")
    ada = await world.sign_in()
    for operation in (wire.DISABLE, wire.ENABLE, wire.REMOVE):
        assert (await refused(world.do(ada, operation, wire.PersonRef("bob")))).code == "not_found"
    assert (await refused(world.do(ada, wire.SET_PASSWORD, wire.SetPassword("bob", OTHER)))).code == "not_found"
    assert (await refused(world.do(ada, wire.DISABLE, wire.PersonRef("ada")))).code == "forbidden"


async def test_who_is_removed_is_gone_and_the_login_is_free(world: World) -> None:
    person = await world.add()
    token = await world.session()
    gone = await world.do(world.operator, wire.REMOVE, wire.PersonRef("ada"))
    assert gone.id == person.id
    assert world.ended(token)
    assert await world.people() == {}
    assert (await refused(world.do(world.operator, wire.REMOVE, wire.PersonRef("ada")))).code == "not_found"
    assert (await world.add()).id != person.id


async def test_what_happens_is_in_the_log_for_who_may_read_keys(world: World) -> None:
    await world.add()
    await world.do(world.operator, wire.SET_PASSWORD, wire.SetPassword("ada", OTHER))
    await world.do(world.operator, wire.DISABLE, wire.PersonRef("ada"))
    await world.do(world.operator, wire.ENABLE, wire.PersonRef("ada"))
    await world.do(world.operator, wire.REMOVE, wire.PersonRef("ada"))
    seen = [event for event in await world.events() if event.type.startswith("person.")]
    assert {event.room for event in seen} == {KEYRING}
    assert {event.actor for event in seen} == {"operator"}
    changes = [(event.type, msgspec.json.decode(event.payload).get("change", "")) for event in seen]
    assert changes == [
        ("person.added", ""),
        ("person.changed", "password"),
        ("person.changed", "disabled"),
        ("person.changed", "enabled"),
        ("person.removed", ""),
    ]
    audited = [msgspec.json.decode(event.payload) for event in await world.events() if event.type == "audit.recorded"]
    assert [(one["operation"], one["subject"][:4]) for one in audited] == [
        (f"people.{name}", "usr_") for name in ("add", "set_password", "disable", "enable", "remove")
    ]


async def test_a_restart_knows_the_same_people(world: World, make_identity: Callable[..., Identity]) -> None:
    await world.add()
    await world.add("bob")
    await world.do(world.operator, wire.DISABLE, wire.PersonRef("bob"))
    before = await world.people()
    again = make_identity(passwords=cheap())
    await again.load()
    world.identity = again
    assert await world.people() == before
    assert (await world.sign_in()).principal.id == before["ada"].id
    assert (await refused(world.session("bob"))).code == "unauthorized"


async def test_when_somebody_was_last_there(world: World) -> None:
    await world.add()
    assert (await world.people())["ada"].last_used_at == ""
    await world.sign_in()
    await world.identity.flush()
    assert (await world.people())["ada"].last_used_at


async def test_who_is_vouched_for_has_their_own_rights_and_what_the_connection_asked_for(world: World) -> None:
    person = await world.add("ada", "admin", "write", "keys")
    await world.add("bob", "observe")
    caller = world.identity.authenticate(Credential(vouched_for="ADA"))
    assert (caller.principal.id, caller.grant.kind, caller.is_local) == (person.id, "person", False)
    asked = frozenset({Scope.OBSERVE, Scope.WRITE, Scope.OPERATE, Scope.NODE})
    connected = world.identity.authenticate(Credential(vouched_for="ada", role="operator", scopes=asked))
    assert connected.grant.scopes == {Scope.OBSERVE, Scope.WRITE}
    with pytest.raises(InstarError) as caught:
        world.identity.authenticate(Credential(vouched_for="ada", role="node"))
    assert caught.value.code == "forbidden"
    wide = world.identity.authenticate(Credential(vouched_for="bob", role="operator", scopes=frozenset(Scope)))
    assert wide.grant.scopes == {Scope.OBSERVE}


async def test_being_vouched_for_makes_up_for_nothing_that_is_wrong(world: World) -> None:
    await world.add()
    for credential in (
        Credential("wrong", vouched_for="ada"),
        Credential(password="wrong", vouched_for="ada", role="operator"),
        Credential(vouched_for="eve"),
        Credential(vouched_for=(await world.people())["ada"].id),
    ):
        with pytest.raises(InstarError) as caught:
            world.identity.authenticate(credential)
        assert caught.value.code == "unauthorized"
    session = await world.session()
    assert world.identity.authenticate(Credential(session, vouched_for="eve")).grant.kind == "session"


async def test_of_two_acts_at_once_the_later_sees_what_the_first_did(world: World) -> None:
    await world.add()
    changes = [wire.SetPassword("ada", f"password number {n}") for n in (1, 2)]
    first, second = [await world.begin(world.operator, wire.SET_PASSWORD, change) for change in changes]
    await first()
    assert (await refused(second())).code == "conflict"
    acts = (wire.REMOVE, wire.DISABLE, wire.ENABLE)
    remove, *others = [await world.begin(world.operator, act, wire.PersonRef("ada")) for act in acts]
    await remove()
    assert [(await refused(act())).code for act in others] == ["not_found", "not_found"]


async def test_there_are_only_so_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instar.hub.identity.people.handlers.PEOPLE_MAX", 1)
    await world.add()
    assert (await refused(world.add("bob"))).code == "conflict"
