"""Signing in with a password: one refusal for every reason, counted; and what happens meanwhile."""

import asyncio
from typing import Any

import pytest
from argon2 import PasswordHasher, extract_parameters

from instar.base.errors import InstarError
from instar.hub.identity.people.passwords import Passwords
from instar.wire import people as wire
from instar.wire.limits import AUTH_FAILURES_MAX, PASSWORD_CHECKS_MAX

from .conftest import PASSWORD, World

OTHER = "another long password"


async def refusal(work: Any) -> tuple[str, str, str, dict[str, Any]]:
    with pytest.raises(InstarError) as caught:
        await work
    return caught.value.code, caught.value.message, caught.value.hint, caught.value.detail


async def test_every_refusal_is_the_same(world: World) -> None:
    await world.add()
    await world.add("bob")
    await world.do(world.operator, wire.DISABLE, wire.PersonRef("bob"))
    answers = [
        await refusal(world.session("ada", "wrong")),
        await refusal(world.session("ada", "")),
        await refusal(world.session("bob", PASSWORD)),
        await refusal(world.session("bob", "wrong")),
        await refusal(world.session("nobody", PASSWORD)),
    ]
    assert len({repr(answer) for answer in answers}) == 1
    assert answers[0][0] == "unauthorized"
    assert answers[0][3] == {"cause": "password_mismatch"}


async def test_guesses_lock_the_address_and_no_other(world: World) -> None:
    await world.add()
    for number in range(AUTH_FAILURES_MAX):
        login = "ada" if number % 2 else "nobody"
        assert (await refusal(world.session(login, f"guess {number}", peer="198.51.100.7")))[0] == "unauthorized"
    assert (await refusal(world.session(peer="198.51.100.7")))[0] == "rate_limited"
    assert await world.session(peer="198.51.100.8")


async def test_this_machines_guesses_are_counted_too(world: World) -> None:
    await world.add()
    for number in range(AUTH_FAILURES_MAX):
        await refusal(world.session("ada", f"guess {number}", peer="127.0.0.1"))
    assert (await refusal(world.session(peer="127.0.0.1")))[0] == "rate_limited"


async def test_on_a_socket_guesses_count_against_the_credential(world: World) -> None:
    await world.add()
    for number in range(AUTH_FAILURES_MAX):
        await refusal(world.session("ada", f"guess {number}", peer=""))
    assert (await refusal(world.session(peer="")))[0] == "rate_limited"
    assert await world.session()


async def test_guesses_that_wait_beside_each_other_are_not_all_tried(world: World) -> None:
    await world.add()
    guesses = [refusal(world.session("ada", f"guess {number}", peer="203.0.113.5")) for number in range(40)]
    codes = [answer[0] for answer in await asyncio.gather(*guesses)]
    assert codes.count("unauthorized") <= AUTH_FAILURES_MAX + PASSWORD_CHECKS_MAX
    assert codes.count("rate_limited") == 40 - codes.count("unauthorized")


async def test_a_password_that_was_replaced_while_it_was_checked_is_wrong(world: World) -> None:
    person = await world.add()

    class Meddled(Passwords):
        async def check(self, stored: str, password: str) -> bool:
            is_right = await super().check(stored, password)
            await world.store.transact(
                lambda tx: tx.execute("UPDATE people SET password = 'x' WHERE id = ?1", person.id)
            )
            return is_right

    from instar.hub.identity.lockout import Lockout
    from instar.hub.identity.people.sign_in import SignIn

    (binding,) = SignIn(world.store, Meddled(PasswordHasher(1, 8, 1)), Lockout()).bindings()
    from instar.hub.act import Act
    from instar.hub.operations.recorder import Recorder

    params = wire.PasswordSignIn("ada", PASSWORD)
    act = Act(world.identity.visitor(), wire.PASSWORD, params, None, world.store, Recorder())
    assert (await refusal(binding.handler(act)))[0] == "unauthorized"


async def test_an_outdated_hash_is_made_anew_at_the_next_sign_in(world: World) -> None:
    await world.add()
    people = world.identity._people
    people._sign_in._passwords = Passwords(PasswordHasher(2, 16, 1))
    assert await world.session()
    rows = await world.store.read(lambda reader: reader.rows("SELECT password FROM people"))
    made = extract_parameters(rows[0][0])
    assert (made.time_cost, made.memory_cost) == (2, 16)
    assert await world.session()
    assert (await refusal(world.session(password="wrong")))[0] == "unauthorized"
    assert await world.store.read(lambda reader: reader.rows("SELECT password FROM people")) == rows
