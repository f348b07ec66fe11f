"""Numbering, links, chains and idempotency hold for any mix of writes."""

import asyncio
import itertools
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from instar.base.clock import Micros
from instar.store import log
from instar.store.seam import Appended, Conflict, Draft
from instar.store.sqlite import open_store
from instar.store.verifying import verify
from instar.wire.events import RoomKey

drafts = st.builds(
    lambda room, number, content, counted: Draft(
        RoomKey(f"room:{room}"), f"evt_{number}", "message.created", b'{"n":%d}' % content, Micros(1), counted=counted
    ),
    st.integers(0, 2),
    st.integers(0, 60),
    st.integers(0, 1),
    st.booleans(),
)
writes = st.one_of(
    st.tuples(st.just("append"), st.lists(drafts, max_size=70)),
    st.tuples(st.just("transact"), st.lists(drafts, max_size=4)),
    st.tuples(st.just("undone"), st.lists(drafts, max_size=4)),
)


async def run(store, kind, mine):
    if kind == "append":
        return list(zip(mine, await store.append(mine), strict=True))

    async def work(tx):
        answers = [(draft, await tx.append(draft)) for draft in mine]
        if kind == "undone":
            raise KeyError
        return answers

    try:
        return await store.transact(work)
    except KeyError:
        return []


async def check(script):
    with tempfile.TemporaryDirectory() as folder:
        store = await open_store(Path(folder))
        published = []
        store.on_commit(lambda committed: published.extend(committed.events))
        groups = [await asyncio.gather(*(run(store, kind, mine) for kind, mine in part)) for part in script]
        answers = [answer for group in groups for part in group for answer in part]
        stored = await store.read(lambda reader: log.after(reader, 0, 10_000))
        heads = await store.read(log.heads)
        verdicts = [await store.read(lambda reader, room=room: verify(reader, room)) for room in heads]
        await store.close()

        assert published == stored
        assert all(a.seq < b.seq for a, b in itertools.pairwise(stored))
        assert len({event.id for event in stored}) == len(stored)
        assert all(verdict.is_sound for verdict in verdicts)
        assert sum(verdict.events for verdict in verdicts) == len(stored)
        by_id = {event.id: event for event in stored}
        new = {}
        for draft, answer in answers:
            first = by_id[draft.id]
            assert answer.event == first
            is_same = (first.room, first.payload) == (draft.room, draft.payload)
            assert isinstance(answer, Appended if is_same else Conflict)
            if isinstance(answer, Appended) and not answer.is_duplicate:
                assert draft.id not in new
                new[draft.id] = draft
        assert new.keys() == by_id.keys()
        for room, head in heads.items():
            counted = [draft for draft in new.values() if draft.room == room and draft.counted]
            assert head.messages == len(counted)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(writes, min_size=1, max_size=4), max_size=4))
def test_any_mix(script):
    asyncio.run(check(script))
