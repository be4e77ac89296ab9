"""A real Ray cluster of two nodes on this machine, for tests; they are skipped where there is no Ray."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

STORE_BYTES = 80 * 2**20


@dataclass
class Cluster:
    """Two raylets with a core each; the first also holds the cluster's head, the second can be lost."""

    ray: Any
    second: Any

    @property
    def address(self) -> str:
        """host:port of the head."""
        return str(self.ray.address)

    def lose_second(self) -> None:
        """SIGKILL for the second node's raylet, as when a machine goes down."""
        self.ray.remove_node(self.second, allow_graceful=False)


@contextmanager
def two_nodes() -> Iterator[Cluster]:
    """The cluster, for the time of the block. Its workers are given no more threads than the executor says."""
    from ray.cluster_utils import Cluster as Nodes

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  at Ray's 15 a busy machine's workers starve
    each = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": STORE_BYTES}
    nodes = Nodes(initialize_head=True, head_node_args={**each, "include_dashboard": False})
    try:
        yield Cluster(nodes, nodes.add_node(**each))
    finally:
        nodes.shutdown()
