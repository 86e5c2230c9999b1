"""Batches of one strategy go one after the other."""

import asyncio

from quantbus_services.gateway.turns import Turns


async def test_one_strategy_has_one_turn_at_a_time_and_others_do_not_wait() -> None:
    turns = Turns()
    inside: list[str] = []
    most: dict[str, int] = {}

    async def work(*strategies: str) -> None:
        async with turns.of(strategies):
            inside.extend(strategies)
            for name in strategies:
                most[name] = max(most.get(name, 0), inside.count(name))
            most["all"] = max(most.get("all", 0), len(inside))
            await asyncio.sleep(0.001)
            for name in strategies:
                inside.remove(name)

    crossing = [work("a", "b") for _ in range(10)] + [work("b", "a") for _ in range(10)]
    async with asyncio.timeout(10):
        await asyncio.gather(*crossing, *(work("c") for _ in range(10)))
    assert (most["a"], most["b"], most["c"]) == (1, 1, 1)
    assert most["all"] > 1


async def test_a_line_is_forgotten_when_nobody_stands_in_it() -> None:
    turns = Turns()
    for number in range(100):
        async with turns.of([f"s{number}"]):
            pass
    assert len(turns) <= 1


async def test_whoever_gives_up_waiting_leaves_the_line() -> None:
    turns = Turns()
    async with turns.of(["a"]):
        waiting = asyncio.create_task(turns.of(["a"]).__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(1), turns.of(["a"]):
        pass
