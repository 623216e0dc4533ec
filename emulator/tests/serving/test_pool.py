"""How requests are spread over the instances of a deployment. The instances are handlers in the test's process."""

import asyncio
import time

import pytest

from azureml_emulator.serving.pool import Answer, NotReady, Pool, Settings
from azureml_emulator.serving.supervision import Probe, Unhealthy
from tests.support.models import Stub, in_loop, ok, slow, statuses, stub_pool, until


def ask(pool: Pool, count: int) -> list[asyncio.Future[Answer]]:
    """That many requests at once."""
    return [asyncio.ensure_future(pool.score(b"{}", {})) for _ in range(count)]


async def outcomes(requests: list[asyncio.Future[Answer]]) -> list[int | str]:
    """How they ended."""
    return statuses(await asyncio.gather(*requests, return_exceptions=True))


@in_loop
async def test_an_instance_never_gets_more_than_its_limit() -> None:
    """The others wait in the pool."""
    pool, stubs = await stub_pool(slow(0.02), count=2, max_concurrent_requests_per_instance=3)

    ended = await outcomes(ask(pool, 12))
    await pool.stop()

    assert ended == [200] * 12
    assert [stub.most_busy for stub in stubs] == [3, 3]


@in_loop
async def test_the_least_loaded_instance_comes_first() -> None:
    """Four requests over four instances are one each."""
    pool, stubs = await stub_pool(slow(0.02), count=4, max_concurrent_requests_per_instance=4)

    await outcomes(ask(pool, 4))
    await pool.stop()

    assert [stub.answered for stub in stubs] == [1, 1, 1, 1]


@in_loop
async def test_twice_the_limit_is_too_many() -> None:
    """Twice max_concurrent for each instance are in flight or waiting; the next is refused at once."""
    pool, _ = await stub_pool(slow(0.02), count=2, max_concurrent_requests_per_instance=2)

    ended = await outcomes(ask(pool, 9))
    await pool.stop()

    assert ended == [200] * 8 + ["TooManyRequests"]


@in_loop
async def test_a_loop_that_was_held_up_loses_no_answer() -> None:
    """Whatever kept it from reading until the time was over: an answer that came in time is one."""
    pool, _ = await stub_pool(slow(0.05), request_timeout_ms=200)

    asked = ask(pool, 1)
    await asyncio.sleep(0.1)
    late = ask(pool, 1)
    await asyncio.sleep(0.01)
    time.sleep(0.3)

    assert await outcomes([*asked, *late]) == [200, 200]
    await pool.stop()


@in_loop
async def test_a_slow_answer_times_out_and_keeps_its_instance_busy() -> None:
    """The model goes on after the client gave up, so the instance takes nothing else meanwhile."""
    pool, stubs = await stub_pool(slow(0.2), request_timeout_ms=100)

    first = await outcomes(ask(pool, 1))
    second = await outcomes(ask(pool, 1))
    await pool.stop()

    assert first + second == ["TimedOut", "TimedOut"]
    assert stubs[0].most_busy == 1


@in_loop
async def test_waiting_counts_towards_the_time_out() -> None:
    """A request that never got to an instance is not sent afterwards either."""
    pool, stubs = await stub_pool(slow(0.2), request_timeout_ms=100)
    requests = ask(pool, 2)

    ended = await outcomes(requests)
    await pool.stop()

    assert (ended, stubs[0].answered) == (["TimedOut", "TimedOut"], 1)


@in_loop
async def test_a_turn_that_comes_in_the_moment_its_time_is_over() -> None:
    """It has been given: nothing takes it away again, and nothing fails."""
    loop, failures = asyncio.get_running_loop(), list[object]()
    loop.set_exception_handler(lambda _loop, context: failures.append(context))
    pool, _ = await stub_pool()
    [place] = pool._places
    place.ready = False
    turn = pool._line_up(loop.time() + 0.02)

    def give() -> None:
        place.ready = True
        pool._admit()

    loop.call_at(loop.time() + 0.01, give)
    time.sleep(0.05)  # both are due in the loop's next round

    assert await turn is place
    del place.requests[turn]
    await pool.stop()
    assert failures == []


@in_loop
async def test_stop_answers_what_is_there_and_refuses_what_comes() -> None:
    """Draining: nothing that was accepted is lost."""
    pool, _ = await stub_pool(slow(0.05), count=2)
    accepted = ask(pool, 4)
    await asyncio.sleep(0)

    stopping = asyncio.ensure_future(pool.stop())
    await asyncio.sleep(0)
    late = ask(pool, 1)

    assert await outcomes(accepted + late) == [200] * 4 + ["NotReady"]
    await stopping


@in_loop
async def test_stop_waits_no_longer_than_the_drain_deadline() -> None:
    """What is still being answered then is lost, and the client told."""
    pool, _ = await stub_pool(slow(30))
    accepted = ask(pool, 1)
    await asyncio.sleep(0.05)

    await pool.stop(drain_seconds=0.05)

    assert await outcomes(accepted) == ["ConnectionLost"]


@in_loop
async def test_stop_leaves_nobody_waiting() -> None:
    """Whoever still waits for an instance when the time to drain is over is told at once."""
    pool, _ = await stub_pool(slow(30), request_timeout_ms=600_000)
    accepted = ask(pool, 2)
    await asyncio.sleep(0.05)

    await pool.stop(drain_seconds=0.05)

    assert await asyncio.wait_for(outcomes(accepted), 60) == ["ConnectionLost", "TimedOut"]


@in_loop
async def test_the_next_one_does_not_wait_for_a_probe() -> None:
    """An instance takes it as soon as it has answered the one before."""
    once = Probe(initial_delay=0, period=10**9)
    pool, _ = await stub_pool(slow(0.02), liveness=once, readiness=once)

    assert await outcomes(ask(pool, 2)) == [200, 200]
    await pool.stop()


@in_loop
async def test_scaling_down_answers_what_the_leaving_instance_has() -> None:
    """And the remaining ones answer the rest."""
    pool, stubs = await stub_pool(slow(0.05), count=3)
    accepted = ask(pool, 6)
    await asyncio.sleep(0.02)

    await pool.scale(1)

    assert await outcomes(accepted) == [200] * 6
    assert [stub.ended.done() for stub in stubs] == [False, True, True]
    await pool.stop()


@in_loop
async def test_scaling_down_keeps_those_that_answer() -> None:
    """One that isn't ready leaves first, though it was there first."""
    pool, stubs = await stub_pool(
        count=2, liveness=Probe(failure_threshold=10**6), readiness=Probe(failure_threshold=1)
    )
    stubs[0].well = False
    await until(lambda: pool.ready == 1)

    await pool.scale(1)

    assert [stub.ended.done() for stub in stubs] == [True, False]
    await pool.stop()


@in_loop
async def test_scaling_up_adds_instances_that_are_ready() -> None:
    """More requests may come in at once as soon as scale() returns."""
    pool, stubs = await stub_pool(slow(0.02))

    await pool.scale(3)
    ended = await outcomes(ask(pool, 6))
    await pool.stop()

    assert ended == [200] * 6
    assert sorted(stub.answered for stub in stubs) == [2, 2, 2]


@in_loop
async def test_a_refused_connection_goes_to_another_instance() -> None:
    """Nothing was sent, so nothing is done twice."""
    pool, stubs = await stub_pool(count=2)
    await close_port(stubs[0])

    ended = await outcomes(ask(pool, 1)) + await outcomes(ask(pool, 1))
    await pool.stop()

    assert (ended, stubs[1].answered) == ([200, 200], 2)


@in_loop
async def test_a_pool_without_instances_is_not_ready() -> None:
    """Requests are refused at once until one is back."""
    pool, stubs = await stub_pool()
    await stubs[0].stop()
    await asyncio.sleep(0)

    with pytest.raises(NotReady):
        await pool.score(b"{}", {})

    await pool.stop()


@in_loop
async def test_an_instance_that_never_gets_ready_fails_the_pool() -> None:
    """All the others are stopped."""
    stubs: list[Stub] = []

    def make() -> Stub:
        stubs.append(Broken(ok) if stubs else Stub(ok))
        return stubs[-1]

    with pytest.raises(Unhealthy, match="ended with exit code 0, the last of 3 attempts"):
        await Pool.start(make, 2, Settings(clock=0.001))

    assert [stub.ended.done() for stub in stubs] == [True] * 4


class Broken(Stub):
    """Ends as soon as it is started, as an instance does whose model does not load."""

    async def start(self) -> None:
        """Start and end."""
        await super().start()
        await self.stop()


async def close_port(stub: Stub) -> None:
    """As if the process had just died and nobody knew yet."""
    await stub._runner.cleanup()
