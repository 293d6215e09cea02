"""asyncssh, as its documentation shows it or, where the task says `tuned`, at its best: keys and known_hosts parsed
once, no agent, no configuration files."""

import asyncio
import json
import sys
import time
from typing import Any

import asyncssh

STEPS = 5


class Peer:
    def __init__(self, task: dict[str, Any]) -> None:
        self.task = task
        self.options: dict[str, Any] = {"port": task["port"], "username": task["user"]}
        if task["tuned"]:
            self.options |= {
                "client_keys": [asyncssh.read_private_key(task["key"])],
                "known_hosts": asyncssh.read_known_hosts(task["known_hosts"]),
                "agent_path": None,
                "config": None,
                "x509_trusted_certs": None,
            }
        else:
            self.options |= {"client_keys": [task["key"]], "known_hosts": task["known_hosts"]}

    def connect(self, address: str) -> Any:
        return asyncssh.connect(address, **self.options)

    async def steps(self) -> dict[str, list[float]]:
        cold = []
        for _ in range(self.task["repeat"] + 1):
            began = time.perf_counter()
            async with self.connect(self.task["hosts"][0]) as connection:
                for _ in range(STEPS):
                    await connection.run("true", check=True)
                cold.append(time.perf_counter() - began)
        return {"cold": cold[1:], "warm": []}

    async def fan_out(self) -> dict[str, list[float]]:
        async with self.connect(self.task["hosts"][0]) as connection:
            await connection.run("true", check=True)
        at_once = asyncio.Semaphore(self.task["workers"])
        pool: dict[str, Any] = {}

        async def run(address: str) -> None:
            async with at_once:
                if address not in pool:
                    pool[address] = await self.connect(address)
                await pool[address].run("true", check=True)

        seconds = []
        for _ in range(1 + self.task["repeat"]):
            began = time.perf_counter()
            await asyncio.gather(*(run(address) for address in self.task["hosts"]))
            seconds.append(time.perf_counter() - began)
        for connection in pool.values():
            connection.close()
        return {"cold": seconds[:1], "warm": seconds[1:]}


if __name__ == "__main__":
    peer = Peer(json.loads(sys.argv[1]))
    print(json.dumps(asyncio.run(peer.steps() if peer.task["what"] == "steps" else peer.fan_out())))
