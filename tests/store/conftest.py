from collections.abc import Callable

import pytest

from instar.base.clock import Micros
from instar.store.seam import Draft
from instar.wire.events import RoomKey

MakeDraft = Callable[..., Draft]


@pytest.fixture
def draft() -> MakeDraft:
    """Makes drafts that differ by their id."""

    def make(event_id: str = "evt_1", room: str = "room:a", payload: bytes = b'{"n":1}', **fields) -> Draft:
        fields.setdefault("type", "message.created")
        fields.setdefault("created_at", Micros(1_000))
        return Draft(room=RoomKey(room), id=event_id, payload=payload, **fields)

    return make
