"""Which deployment answers, and what the client sees when none does. The instances are stubs in this process."""

import asyncio
import gc
import json
import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web
from multidict import CIMultiDict

from azureml_emulator.serving.pool import Answer, Pool
from azureml_emulator.serving.router import Route, Router, any_of
from tests.support.models import Handler, in_loop, ok, slow, stub_pool

KEYS = ("primary", "secondary")


async def router_over(traffic: Mapping[str, int], *, handler: Handler = ok, **more: Any) -> tuple[Router, list[Pool]]:
    """A router with the endpoint `e`, and a pool of one stub for each deployment in `traffic`."""
    pools = {name: (await stub_pool(handler, max_concurrent_requests_per_instance=1000))[0] for name in traffic}
    router = Router(random.Random(1))  # noqa: S311  # a seed makes the split repeatable
    router.routes["e"] = Route(any_of(KEYS), traffic, pools=pools, **more)
    return router, list(pools.values())


def headers(key: str = "primary", **more: str) -> CIMultiDict[str]:
    """As aiohttp gives them to a handler; `_` in a name stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in more.items()}
    return CIMultiDict({"Authorization": f"Bearer {key}", "Content-Type": "application/json", **named})


async def stop(pools: list[Pool]) -> None:
    """End all of them."""
    await asyncio.gather(*(pool.stop(0) for pool in pools))


def code(answer: Answer) -> str:
    """The code in an error's body."""
    found: str = json.loads(answer.body)["error"]["code"]
    return found


@in_loop
async def test_an_answer_names_its_deployment_and_request() -> None:
    """The client's own request id comes back; the instance's connection headers do not."""
    router, pools = await router_over({"blue": 100})

    answer = await router.score("e", headers(X_Request_ID="mine"), b"{}")
    await stop(pools)

    assert (answer.status, answer.body) == (200, b"[1]")
    assert answer.headers["azureml-model-deployment"] == "blue"
    assert answer.headers["x-request-id"] == "mine"
    assert not {"connection", "date", "server", "content-length"} & answer.headers.keys()


@in_loop
async def test_an_unknown_endpoint_is_not_found() -> None:
    """Whatever the key."""
    answer = await Router().score("e", headers(), b"{}")

    assert (answer.status, code(answer)) == (404, "NotFound")


@pytest.mark.parametrize("key", KEYS)
@in_loop
async def test_either_key_opens(key: str) -> None:
    """So that one can be regenerated while the other is in use."""
    router, pools = await router_over({"blue": 100})

    answer = await router.score("e", headers(key), b"{}")
    await stop(pools)

    assert answer.status == 200


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer wrong", "Basic primary", "primary", "Bearer \udcff"])
@in_loop
async def test_without_a_key_nothing_opens(authorization: str) -> None:
    """No key, a wrong one, another scheme, bytes that are no text."""
    router, pools = await router_over({"blue": 100})

    answer = await router.score("e", CIMultiDict({"Authorization": authorization}), b"{}")
    await stop(pools)

    assert (answer.status, code(answer)) == (401, "Unauthorized")
    assert not router.counts


def test_an_empty_key_is_no_key() -> None:
    """A key that was never made does not open the door to an empty one."""
    accepts = any_of(["", "primary"])

    assert (accepts(""), accepts("primary")) == (False, True)


@in_loop
async def test_the_key_stays_outside_the_container() -> None:
    """So does what belongs to the client's connection; everything else passes."""

    async def echo(request: web.Request) -> web.Response:
        return web.json_response(dict(request.headers))

    router, pools = await router_over({"blue": 100}, handler=echo)

    answer = await router.score("e", headers(Host="outside", Expect="100-continue", Color="red", Odd="\udcff"), b"{}")
    await stop(pools)

    seen = {name.lower(): value for name, value in json.loads(answer.body).items()}
    assert (seen["color"], seen["x-request-id"]) == ("red", answer.headers["x-request-id"])
    assert not {"authorization", "expect", "odd"} & seen.keys()
    assert seen["host"].startswith("127.0.0.1")


@in_loop
async def test_a_request_may_name_its_deployment() -> None:
    """It gets past the split, even to one at 0 %."""
    router, pools = await router_over({"blue": 100, "green": 0})

    answer = await router.score("e", headers(azureml_model_deployment="green"), b"{}")
    await stop(pools)

    assert (answer.status, answer.headers["azureml-model-deployment"]) == (200, "green")


@in_loop
async def test_an_unknown_deployment_is_not_found() -> None:
    """Its name comes back in the message only."""
    router, pools = await router_over({"blue": 100})

    answer = await router.score("e", headers(azureml_model_deployment="red"), b"{}")
    await stop(pools)

    assert (answer.status, code(answer)) == (404, "NotFound")
    assert "azureml-model-deployment" not in answer.headers


@pytest.mark.parametrize("traffic", [{}, {"blue": 0}])
@in_loop
async def test_without_traffic_nothing_is_found(traffic: dict[str, int]) -> None:
    """No deployment with a positive weight: 404, as Azure's troubleshooting page says."""
    router, pools = await router_over(traffic)

    answer = await router.score("e", headers(), b"{}")
    await stop(pools)

    assert (answer.status, code(answer)) == (404, "NotFound")


@in_loop
async def test_a_deployment_without_instances_is_unavailable() -> None:
    """It exists, but is being created or has failed."""
    router = Router()
    router.routes["e"] = Route(any_of(KEYS), {"blue": 100}, pools={"blue": None})

    answer = await router.score("e", headers(), b"{}")

    assert (answer.status, answer.headers["ms-azureml-model-error-reason"]) == (503, "model_not_ready")


@pytest.mark.parametrize("status", [400, 415, 500])
@in_loop
async def test_a_failing_container_is_a_failed_dependency(status: int) -> None:
    """The client gets 424; what the container said is in the headers and the body."""

    async def fail(_request: web.Request) -> web.Response:
        return web.json_response({"message": "no"}, status=status, headers={"x-ms-run-function-failed": "True"})

    router, pools = await router_over({"blue": 100}, handler=fail)

    answer = await router.score("e", headers(), b"{}")
    await stop(pools)

    assert (answer.status, answer.body) == (424, b'{"message": "no"}')
    assert answer.headers["ms-azureml-model-error-statuscode"] == str(status)
    assert answer.headers["ms-azureml-model-error-reason"] == "model_error"
    assert answer.headers["x-ms-run-function-failed"] == "True"


@in_loop
async def test_too_many_and_too_slow_are_told_apart() -> None:
    """429 for what is refused at once, 408 for what was not answered in time."""
    router = Router()
    pool, _ = await stub_pool(slow(1), request_timeout_ms=50)
    router.routes["e"] = Route(any_of(KEYS), {"blue": 100}, pools={"blue": pool})

    answers = await asyncio.gather(*(router.score("e", headers(), b"{}") for _ in range(3)))
    await stop([pool])

    assert Counter(answer.status for answer in answers) == {408: 2, 429: 1}
    assert {answer.headers["azureml-model-deployment"] for answer in answers} == {"blue"}


@in_loop
async def test_the_split_follows_the_percentages() -> None:
    """Within five standard deviations of the binomial; no other deployment is ever asked."""
    router, pools = await router_over({"blue": 90, "green": 10, "idle": 0})

    for _ in range(20):
        await asyncio.gather(*(router.score("e", headers(), b"{}") for _ in range(50)))
    await stop(pools)

    assert router.counts.keys() == {("e", "blue", 200), ("e", "green", 200)}
    assert sum(router.counts.values()) == 1000
    assert abs(router.counts["e", "green", 200] - 100) < 5 * (1000 * 0.1 * 0.9) ** 0.5


@in_loop
async def test_a_mirror_gets_its_share_of_copies() -> None:
    """They are extra: every answer comes from the split."""
    router, pools = await router_over({"blue": 100})
    mirror, [stub] = await stub_pool(max_concurrent_requests_per_instance=1000)
    route = router.routes["e"]
    router.routes["e"] = Route(
        route.accepts, route.traffic, mirror={"green": 30}, pools={**route.pools, "green": mirror}
    )

    for _ in range(10):
        await asyncio.gather(*(router.score("e", headers(), b"{}") for _ in range(50)))
    await mirror.stop()
    await stop(pools)

    assert router.counts == {("e", "blue", 200): 500}
    assert abs(stub.answered - 150) < 5 * (500 * 0.3 * 0.7) ** 0.5


@in_loop
async def test_requests_that_name_a_deployment_are_not_mirrored() -> None:
    """As how-to-safely-rollout-online-endpoints says."""
    blue, _ = await stub_pool()
    green, [stub] = await stub_pool()
    router = Router()
    router.routes["e"] = Route(any_of(KEYS), {"blue": 100}, {"green": 50}, {"blue": blue, "green": green})

    for _ in range(30):
        await router.score("e", headers(azureml_model_deployment="blue"), b"{}")
    await stop([blue, green])

    assert stub.answered == 0


@in_loop
async def test_a_failing_mirror_is_nobodys_business() -> None:
    """Neither its errors nor its slowness reach the client."""
    blue, _ = await stub_pool()
    green, _ = await stub_pool(slow(1))
    router = Router(random.Random(1))  # noqa: S311  # as above
    router.routes["e"] = Route(any_of(KEYS), {"blue": 100}, {"green": 50}, {"blue": blue, "green": green})

    answers = [await router.score("e", headers(), b"{}") for _ in range(20)]
    await stop([blue, green])

    assert {answer.status for answer in answers} == {200}


@in_loop
async def test_a_mirror_without_instances_is_left_alone() -> None:
    """Nothing is sent to it, and nothing fails behind the client's back."""
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: failures.append(context))
    blue, _ = await stub_pool()
    router = Router(random.Random(1))  # noqa: S311  # as above
    router.routes["e"] = Route(any_of(KEYS), {"blue": 100}, {"green": 50}, {"blue": blue, "green": None})

    answers = [await router.score("e", headers(), b"{}") for _ in range(20)]
    await stop([blue])
    gc.collect()  # a task whose exception nobody has taken tells it then

    assert ({answer.status for answer in answers}, failures) == ({200}, [])


@in_loop
async def test_a_deployment_goes_away_with_no_request_lost() -> None:
    """Replace the route first, then stop the pool: what it had is answered, what comes goes elsewhere."""
    router, (blue, green) = await router_over({"blue": 50, "green": 50}, handler=slow(0.05))
    before = [asyncio.ensure_future(router.score("e", headers(), b"{}")) for _ in range(50)]
    await asyncio.sleep(0)

    router.routes["e"] = Route(any_of(KEYS), {"green": 100}, pools={"green": green})
    stopping = asyncio.ensure_future(blue.stop())
    after = [asyncio.ensure_future(router.score("e", headers(), b"{}")) for _ in range(50)]
    answers = await asyncio.gather(*before, *after)
    await stopping
    await stop([green])

    assert {answer.status for answer in answers} == {200}
    assert {answer.headers["azureml-model-deployment"] for answer in answers[50:]} == {"green"}
