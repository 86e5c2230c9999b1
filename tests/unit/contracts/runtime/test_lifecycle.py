"""Stopping is by cancellation, and one that is swallowed is repeated."""

import asyncio
import os
import signal
import time

from quantbus_contracts.runtime import lifecycle


async def _asked_to_stop() -> None:
    asyncio.get_running_loop().call_later(0.01, os.kill, os.getpid(), signal.SIGTERM)
    await asyncio.sleep(10)


def test_a_request_to_stop_ends_the_work_and_is_no_failure() -> None:
    assert lifecycle.run_until_stopped(_asked_to_stop) == 0


def test_a_cancellation_that_a_library_swallows_is_repeated() -> None:
    swallowed = []

    async def work() -> None:
        try:
            await _asked_to_stop()
        except asyncio.CancelledError as error:
            swallowed.append(error)
        await asyncio.sleep(10)

    assert lifecycle.run_until_stopped(work, patience_seconds=0.05) == 0
    assert len(swallowed) == 1


def test_a_cancellation_that_is_swallowed_within_a_task_group_is_repeated_too() -> None:
    swallowed = []

    async def stubborn() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError as error:
            swallowed.append(error)
        await asyncio.sleep(10)

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(stubborn())
            group.create_task(_asked_to_stop())

    started = time.monotonic()
    assert lifecycle.run_until_stopped(work, patience_seconds=0.05) == 0
    assert len(swallowed) == 1
    assert time.monotonic() - started < 5
