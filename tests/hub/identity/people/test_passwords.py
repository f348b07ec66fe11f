"""Hashes: what they are, what is checked, how many at a time, and what an unknown name costs."""

import asyncio

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from instar.base.errors import InstarError
from instar.hub.identity.people.passwords import Passwords
from instar.wire.limits import PASSWORD_CHECKS_MAX, PASSWORD_CHECKS_WAITING_MAX

from .conftest import cheap


async def test_a_hash_is_argon2id_with_its_own_salt_and_the_cost_that_is_promised() -> None:
    passwords = Passwords()
    first, second = await passwords.hash("correct horse"), await passwords.hash("correct horse")
    assert first != second
    made = extract_parameters(first)
    assert (made.type, made.memory_cost, made.time_cost, made.parallelism) == (Type.ID, 65_536, 3, 1)
    assert await passwords.check(first, "correct horse")
    assert not await passwords.check(first, "correct horsf")
    assert not passwords.is_outdated(first)


async def test_what_is_not_right() -> None:
    passwords = cheap()
    stored = await passwords.hash("correct horse")
    for wrong in ("", " correct horse", "Correct horse", "correct horse\x00", "\ud800"):
        assert not await passwords.check(stored, wrong)
    for broken in ("", "no hash", stored[:-4]):
        assert not await passwords.check(broken, "correct horse")


async def test_letters_are_the_same_however_they_are_composed() -> None:
    passwords = cheap()
    assert await passwords.check(await passwords.hash("caf\u00e9 au lait, bitte"), "cafe\u0301 au lait, bitte")


async def test_nobodys_password_is_checked_at_the_same_cost_and_never_right() -> None:
    checked: list[str] = []

    class Watched(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # noqa: A002 - as the library calls it
            checked.append(str(hash))
            return super().verify(hash, password)

    passwords = Passwords(Watched(2, 16, 1))
    assert not await passwords.check("", "anything")
    assert not await passwords.check(await passwords.hash("x"), "anything")
    nobodys, somebodys = checked
    assert extract_parameters(nobodys) == extract_parameters(somebodys)


async def test_another_cost_makes_a_hash_outdated() -> None:
    stored = await cheap().hash("correct horse")
    dearer = Passwords(PasswordHasher(2, 16, 1))
    assert dearer.is_outdated(stored)
    assert await dearer.check(stored, "correct horse")


async def test_few_have_their_turn_at_once_and_few_wait() -> None:
    passwords, entered, leave = cheap(), 0, asyncio.Event()

    async def visit() -> None:
        nonlocal entered
        async with passwords.turn():
            entered += 1
            await leave.wait()

    visits = [asyncio.ensure_future(visit()) for _ in range(PASSWORD_CHECKS_MAX + PASSWORD_CHECKS_WAITING_MAX)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert entered == PASSWORD_CHECKS_MAX
    with pytest.raises(InstarError) as caught:
        await visit()
    assert caught.value.code == "overloaded"
    visits[-1].cancel()
    leave.set()
    await asyncio.gather(*visits, return_exceptions=True)
    assert entered == PASSWORD_CHECKS_MAX + PASSWORD_CHECKS_WAITING_MAX - 1
    await visit()
