"""The inbox against a model: whatever happens, an item is offered until it is settled, and never after."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from instar.base.clock import Micros
from instar.hub.delivery.desk import Desk, Item, give_back, offer, retry_at
from instar.wire.delivery import ItemState

ATTEMPTS = 3


class Inbox(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.desk = Desk(0, 0)
        self.at = 1
        self.head = 0
        self.unsettled = set()
        self.dead = set()

    @rule(wakes=st.lists(st.booleans(), max_size=4))
    def scan(self, wakes):
        seqs = [self.head + at + 1 for at, each in enumerate(wakes) if each]
        self.head += len(wakes)
        self.desk.scanned(seqs, self.head)
        self.unsettled.update(seqs)

    @rule(limit=st.integers(1, 3), length=st.integers(0, 5))
    def lease(self, limit, length):
        until = Micros(self.at + length)
        plan = offer(self.desk, limit, Micros(self.at), lease=f"l{self.at}", until=until, attempts_max=ATTEMPTS)
        assert {item.seq for item in plan.leased} <= self.unsettled
        assert [item.seq for item in plan.leased] == sorted(item.seq for item in plan.leased)
        self.desk.put(plan.leased)
        self.bury(plan.dead)

    @rule(pick=st.sets(st.integers(1, 12)))
    def ack(self, pick):
        gone = {seq for seq in pick if seq in self.desk.items}
        self.desk.settle(gone)
        self.unsettled -= gone

    @rule(seq=st.integers(1, 12))
    def ack_through(self, seq):
        seq = min(seq, self.head)
        self.desk.settle_through(seq)
        self.unsettled = {each for each in self.unsettled if each > seq}

    @rule(pick=st.sets(st.integers(1, 12)), final=st.booleans())
    def nack(self, pick, final):
        given = give_back(self.desk, pick, "why", Micros(self.at), attempts_max=ATTEMPTS, final=final)
        self.desk.put(item for item in given if item.state is ItemState.FAILED)
        self.bury([item for item in given if item.state is ItemState.DEAD])

    @rule()
    def replay(self):
        self.desk.revive(Item(seq) for seq in self.dead)
        self.unsettled |= self.dead
        self.dead = set()

    @rule(by=st.integers(1, 100_000_000))
    def wait(self, by):
        self.at += by

    def bury(self, items):
        gone = {item.seq for item in items}
        self.desk.settle(gone)
        self.unsettled -= gone
        self.dead |= gone

    @invariant()
    def what_is_not_settled_is_there_and_nothing_else(self):
        assert self.desk.items.keys() == self.unsettled
        assert self.desk.low_water <= self.desk.scanned_seq
        assert all(seq > self.desk.low_water for seq in self.desk.settled)
        assert all(item.attempts <= ATTEMPTS for item in self.desk.items.values())


TestInbox = Inbox.TestCase


def test_the_pause_after_a_failure_doubles_up_to_its_limit():
    assert [retry_at(attempts, Micros(0)) for attempts in (1, 2, 3, 20)] == [
        1_000_000,
        2_000_000,
        4_000_000,
        60_000_000,
    ]
