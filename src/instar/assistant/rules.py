"""What `guide` answers, without IO or time: a message goes in, a plan of the answer comes out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from instar.base.errors import InstarError
from instar.wire.messages import Message, Part, PartKind, TargetKind
from instar.wire.sessions import is_session_of

SLOW_MAX_S = 120.0
"""Longest answer that `/slow` streams."""
SLOW_DEFAULT_S = 10.0
ECHO_MAX_CHARS = 2_000
"""How much of a message is echoed."""

NOT_A_MODEL = "I am not a language model: I am a small program that answers by fixed rules."

HELP = f"""{NOT_A_MODEL} I understand:

- `/help`: this list
- `/slow 10`: an answer that streams for 10 seconds; cancel it in the console while it does
- `/fail`: a run that fails, so that you see how failure looks; `/fail 2` fails twice, then succeeds
- `hello`, `what is this?`, `how do I add an agent?`

Anything else I echo."""

ABOUT = f"""This is Instar, a hub where agents and people share rooms with durable history. What you write here is on \
disk before it is acknowledged, and every agent that it wakes gets it, even after days offline. {NOT_A_MODEL}

Look around with `instar rooms list` and `instar agents list`."""

ADD_AGENT = """An agent needs a name, a token and a room:

    instar agents register my-agent
    instar agents token my-agent
    instar rooms members add general my-agent
    instar inbox list --agent my-agent

The second command prints its token once. With it the agent reads its inbox by long poll, or attaches over WebSocket \
at `/v1/attach`; `/skill.md` on this hub tells the agent itself how. Mention it as `@my-agent` to wake it."""

GREETING = f"""Hello! I am `guide`, the built-in agent of this hub. {NOT_A_MODEL}

Type `/help` to see what I can do, or ask `how do I add an agent?`."""

_SLOW_LINE = "This answer streams slowly, word by word, so that you can watch it, cancel it, or look at it elsewhere. "
_COMMAND = re.compile(r"^/(help|slow|fail)\b\s*(\S*)\s*$", re.IGNORECASE)
_MENTION = re.compile(r"<?@(?:molt://[^\s>]+|[A-Za-z0-9._:-]+)>?[,:]?\s*")
_CALL = re.compile(r"(?<![A-Za-z0-9])@(?=[A-Za-z0-9])")
"""What makes a name a mention; an echo leaves it out, to wake nobody."""
_WORDS = re.compile(r"\S+\s*|\s+")
_PHRASES: Mapping[re.Pattern[str], str] = {
    re.compile(r"^(hi|hello|hey|good (morning|afternoon|evening))\b", re.IGNORECASE): GREETING,
    re.compile(r"\b(what|who)\b.*\b(is (this|instar)|are you)\b", re.IGNORECASE): ABOUT,
    re.compile(r"\b(add|connect|register|attach|bring)\b.*\bagents?\b", re.IGNORECASE): ADD_AGENT,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """An answer: its text, how long it takes, and whether it breaks off."""

    text: str
    over_s: float = 0.0
    """Seconds over which it is spread; 0 is as fast as it goes."""
    failure: InstarError | None = None
    """What the run fails with, after the text was said."""


def heeds(agent_fqid: str, message: Message) -> bool:
    """Whether to answer: who mentions `agent_fqid`, or writes to it alone or in its session; people who mention nobody.

    Two agents that talk to each other in a room are not echoed, nor is a person who asks another agent.
    """
    if agent_fqid in message.mentions:
        return True
    if message.target.kind is TargetKind.DM and len(message.target.participant_ids) == 2:
        return True
    if is_session_of(message.target, agent_fqid):
        return True
    return message.from_.type == "human" and not message.mentions


def plan(message: Message, attempt: int) -> Plan:
    """Return the answer to `message`; `attempt` counts from 1."""
    said = spoken_text(message.parts)
    if (command := _COMMAND.match(said)) is not None:
        return _obey(command[1].lower(), command[2], attempt)
    for pattern, answer in _PHRASES.items():
        if pattern.search(said):
            return Plan(answer)
    return _echo(said, message.parts)


def chunks(text: str) -> list[str]:
    """Split `text` into words, each with the space behind it; joined they are `text` again."""
    return _WORDS.findall(text)


def spoken_text(parts: list[Part]) -> str:
    """Return the text of a message without the mentions that it begins with."""
    text = "\n".join(part.text for part in parts if part.kind is PartKind.TEXT).strip()
    while (mention := _MENTION.match(text)) is not None:
        text = text[mention.end() :]
    return text.strip()


def _obey(command: str, argument: str, attempt: int) -> Plan:
    if command == "help":
        return Plan(HELP)
    number = _number(argument)
    if command == "slow":
        over_s = min(SLOW_DEFAULT_S if number is None else number, SLOW_MAX_S)
        return Plan(_SLOW_LINE * max(1, round(over_s / 5)) + "Done.", over_s=over_s)
    return _fail(number, attempt)


def _fail(times: float | None, attempt: int) -> Plan:
    if times is None:
        failure = InstarError(
            "unprocessable_entity",
            "guide was told to fail with /fail",
            hint="Nothing is broken; see the dead letter with `instar inbox list --agent guide --state dead`.",
        )
        return Plan("You asked me to fail, so I stop in the middle of", failure=failure)
    if attempt <= times:
        failure = InstarError("bad_gateway", f"guide was told to fail {times:g} times; this was attempt {attempt}")
        return Plan(f"Attempt {attempt} fails, as you asked; I try again in", failure=failure)
    return Plan(f"I failed as often as you asked; attempt {attempt} succeeded.")


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None


def _echo(said: str, parts: list[Part]) -> Plan:
    others = [part.kind.value for part in parts if part.kind is not PartKind.TEXT]
    if not said and not others:
        return Plan(f"You said nothing. {NOT_A_MODEL} Type `/help` to see what I can do.")
    told = f"You said: {_CALL.sub('', said[:ECHO_MAX_CHARS])}" if said else "You sent no text."
    if len(said) > ECHO_MAX_CHARS:
        told += " …"
    if others:
        told += f" (and {', '.join(others)})"
    return Plan(f"{told}\n\n{NOT_A_MODEL} Type `/help` to see what I can do.")
