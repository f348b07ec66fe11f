from instar.hub.identity.devices.window import Window


def test_it_is_closed_and_closes_itself() -> None:
    at = [100.0]
    window = Window(lambda: at[0])
    assert not window.is_open
    assert window.closes_at is None
    window.open(10)
    assert window.is_open
    assert window.closes_at is not None
    at[0] = 109.9
    assert window.is_open
    window.open(10)
    at[0] = 119.8
    assert window.is_open
    at[0] = 119.9
    assert not window.is_open
    assert window.closes_at is None
    window.open(10)
    window.close()
    window.close()
    assert not window.is_open
