from instar.hub.identity.speakers import Speakers


def test_claims_move_and_end() -> None:
    speakers = Speakers()
    assert speakers.owner("a") is None
    speakers.claim("a", "")
    assert speakers.owner("a") == ""
    speakers.claim("a", "g1")
    speakers.claim("b", "g1")
    assert speakers.owned_by("g1") == {"a", "b"}
    speakers.claim("a", "g2")
    assert speakers.owned_by("g1") == {"b"}
    speakers.release("b")
    speakers.release("b")
    assert speakers.owned_by("g1") == frozenset()
    assert speakers.owner("b") is None
