"""The faults that are asked for happen, and no others."""

import itertools

import pytest

from instar.base.errors import InstarError
from instar.store.faulty import KINDS, Fault, FaultyStore, seeded


async def code_of(work):
    try:
        await work
    except InstarError as error:
        return error.code
    return ""


@pytest.mark.parametrize(
    ("kind", "code", "written"),
    [
        ("refused", "internal_error", 0),
        ("storage_full", "storage_full", 0),
        ("overloaded", "overloaded", 0),
        ("acknowledgement_lost", "internal_error", 1),
        ("late", "", 1),
    ],
)
@pytest.mark.parametrize("verb", ["append", "transact"])
async def test_each_kind(store, draft, kind, code, written, verb):
    faulty = FaultyStore(store, [None, Fault(kind)])
    await faulty.append([draft("evt_0")])
    write = faulty.append([draft()]) if verb == "append" else faulty.transact(lambda tx: tx.append(draft()))
    assert await code_of(write) == code
    assert await faulty.last_seq() == 1 + written
    assert faulty.injected == 1
    await faulty.append([draft("evt_2")])
    assert await faulty.last_seq() == 2 + written


async def test_a_repeat_after_a_lost_acknowledgement_is_a_duplicate(store, draft):
    faulty = FaultyStore(store, [Fault("acknowledgement_lost")])
    assert await code_of(faulty.append([draft()])) == "internal_error"
    (result,) = await faulty.append([draft()])
    assert result.is_duplicate


def test_a_seed_gives_the_same_script():
    first, second = (list(itertools.islice(seeded(7, 0.5), 100)) for _ in range(2))
    assert first == second
    assert {fault.kind for fault in first if fault} == set(KINDS)
    assert None in first
