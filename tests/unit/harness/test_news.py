"""Waiting that Ctrl-C may break off at any moment, and nobody else hangs for it."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType

from harness.news import News

EVERY_S = 0.0007


def test_who_waits_is_woken_by_news_and_by_nothing_else() -> None:
    news, here = News(), threading.Event()
    found: list[bool] = []
    waiting = threading.Thread(target=lambda: found.append(news.until(here.is_set)))
    waiting.start()
    here.set()
    news.tell()
    waiting.join(5)
    assert found == [True]


def test_all_who_wait_are_woken() -> None:
    news, here = News(), threading.Event()
    waiting = [threading.Thread(target=news.until, args=(here.is_set,)) for _ in range(8)]
    for each in waiting:
        each.start()
    here.set()
    news.tell()
    for each in waiting:
        each.join(5)
    assert not any(each.is_alive() for each in waiting)


def test_waiting_ends_after_its_time() -> None:
    assert not News().until(lambda: False, 0.01)


def test_an_interruption_at_any_moment_holds_up_nobody() -> None:
    """`threading.Condition` fails this within a second: its lock stays locked."""
    news, told, over = News(), 0, threading.Event()
    armed, interrupted = False, 0

    def bring() -> None:
        nonlocal told
        while not over.is_set():
            news.tell()
            told += 1

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal armed
        if armed:
            armed = False
            raise KeyboardInterrupt

    bringing = threading.Thread(target=bring, daemon=True)
    before = signal.signal(signal.SIGALRM, interrupt)
    bringing.start()
    ends = time.monotonic() + 1.5
    signal.setitimer(signal.ITIMER_REAL, EVERY_S, EVERY_S)
    try:
        while time.monotonic() < ends:
            try:
                armed = True
                news.until(lambda: False, 0.002)
                armed = False
            except KeyboardInterrupt:
                interrupted += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    then = told
    deadline = time.monotonic() + 5
    while told == then and time.monotonic() < deadline:
        over.wait(0.001)
    assert told > then
    over.set()
    bringing.join(5)
    assert interrupted > 100
