import subprocess
import sys

from instar.client.routes import ROUTES
from instar.wire.table import TABLE


def test_routes_are_those_of_the_operation_table():
    table = {name: (op.route.method, op.route.path) for name, op in TABLE.items() if op.route}
    assert table == ROUTES


def test_the_synchronous_client_is_light():
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, instar.client.http, instar.client.access; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {"msgspec", "asyncio", "websockets", "click"} & set(loaded)
