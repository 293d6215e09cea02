"""One program per contestant of `bench.ssh`, each run in an environment that has that contestant installed.

Called with the task as one JSON argument: `hosts`, `port`, `user`, `key`, `known_hosts`, `workers`, `repeat`,
`tuned` (for asyncssh) and `what`: "steps" (a cold connection to the first host and five commands, `repeat` times)
or "fan-out" (one command on each host, by cold connections and then `repeat` times by warm ones). Prints
{"cold": [seconds], "warm": [seconds]}. An unmeasured run comes first, so that imports and first calls count for
nobody.
"""
