from instar.assistant import guide
from instar.assistant.echo import NAME
from instar.wire.agents import Wake


def test_first_start_declares_guide_in_general_beside_the_operator():
    assert (guide.GUIDE.id, guide.GUIDE.runtime, guide.GUIDE.wake) == ("guide", NAME, Wake.ALL)
    assert guide.GENERAL.members == ["guide", "operator"]
    assert (guide.AGENTS, guide.ROOMS) == ((guide.GUIDE,), (guide.GENERAL,))
