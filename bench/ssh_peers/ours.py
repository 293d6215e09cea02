"""The agent's own SshPool; for each cold measurement all its connections are dropped first."""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from agent.model.inventory import Login
from agent.runtime.ssh import SshPool

STEPS = 5


def login(task: dict[str, Any], address: str) -> Login:
    return Login(
        address=address,
        port=task["port"],
        user=task["user"],
        key_file=task["key"],
        known_hosts=task["known_hosts"],
        connect_timeout=60.0,
    )


def run(pool: SshPool, where: Login) -> None:
    if pool.run(where.address, where, "true", timeout=60).status != 0:
        raise SystemExit("the command failed")


def steps(task: dict[str, Any]) -> dict[str, list[float]]:
    where = login(task, task["hosts"][0])
    cold = []
    pool = SshPool()
    for _ in range(task["repeat"] + 1):
        began = time.perf_counter()
        for _ in range(STEPS):
            run(pool, where)
        cold.append(time.perf_counter() - began)
        pool.drop(where.address)
    pool.close()
    return {"cold": cold[1:], "warm": []}


def fan_out(task: dict[str, Any]) -> dict[str, list[float]]:
    places = [login(task, address) for address in task["hosts"]]
    pool = SshPool()
    run(pool, places[0])
    pool.drop(places[0].address)
    seconds = []
    with ThreadPoolExecutor(task["workers"]) as workers:
        for _ in range(1 + task["repeat"]):
            began = time.perf_counter()
            list(workers.map(lambda place: run(pool, place), places))
            seconds.append(time.perf_counter() - began)
    pool.close()
    return {"cold": seconds[:1], "warm": seconds[1:]}


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    print(json.dumps(steps(given) if given["what"] == "steps" else fan_out(given)))
