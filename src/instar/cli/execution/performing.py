"""Running what was wished for, and saying what came of it."""

import asyncio

from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.client.errors import HubError

from .asked import Wish, asked
from .ends import INTERRUPTED, NOT_RUN, exit_code, told
from .running import Finished, Running


def perform(session: Session, wish: Wish, *, says_yes: bool = False) -> Answer | int:
    """Run a call from here and return what a script learns of it.

    Raises:
        HubError: `usage`: the command line does not say what to run.
        BrokenPipeError: Nobody reads the output any more.
    """
    output = session.output
    params = asked(wish)
    manner = wish.manner(is_streamed=output.form == "text", says_yes=says_yes)

    async def run() -> Finished:
        return await Running(session, params, manner).run()

    try:
        done = asyncio.run(run())
    except TimeoutError:
        return _failed(session, HubError("timeout", f"the hub at {session.access.url} did not answer in time"))
    except HubError as error:
        return _failed(session, error)
    return _left(session, done, wish) if done.has_left else _ended(session, done, wish)


def _failed(session: Session, error: HubError) -> int:
    """Say why nothing ran; the code must not be mistaken for the command's own."""
    session.output.fail(error, "run the command")
    return NOT_RUN


def _left(session: Session, done: Finished, wish: Wish) -> Answer:
    call_id = done.call["id"]
    if not wish.is_background:
        session.output.note(f"Left it to the hub. See: instar calls show {call_id}")
    return Answer(done.call, [call_id] if wish.is_background else [], code=INTERRUPTED if done.interrupted_by else 0)


def _ended(session: Session, done: Finished, wish: Wish) -> Answer:
    if not session.output.is_json:
        for line in told(done.call):
            session.output.note(line)
    return Answer(
        done.call, [done.call["id"]] if wish.is_background else [], code=exit_code(done.call, done.interrupted_by)
    )
