"""The same workers on a Ray cluster. An extra: `pip install 'rvsam-video[ray]'`.

Ray starts processes where there is room, and starts them anew when a machine is lost; who does
which clip is decided as everywhere, by the folder that all share.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from rvsam_video.batch.loop import Unit, WorkOrder, work_until_done
from rvsam_video.batch.processors import share_processors
from rvsam_video.errors import UsageError


def work_on_ray(
    units: Sequence[Unit],
    order: WorkOrder,
    *,
    address: str | None = None,
    gpus: float = 1.0,
    processors: float = 1.0,
) -> None:
    """Work through a list with the actors of a Ray cluster, and wait for them.

    Args:
        units: all there are; their folder must be seen by every machine.
        order: how, and by how many actors.
        address: of the cluster, such as "auto"; None starts one on this machine.
        gpus: of each actor; may be a fraction.
        processors: likewise.

    Raises:
        UsageError: if Ray is not installed.
    """
    ray = _ray()
    ours = not ray.is_initialized()
    if ours:
        ray.init(address=address, log_to_driver=False)
    try:
        # Started anew for ever: a clip that ends its worker is skipped by its own count of tries.
        options: dict[str, Any] = {"num_gpus": gpus, "num_cpus": processors, "max_restarts": -1}
        # As the workers of a command have it: the same bytes, whoever tracks a clip.
        options["runtime_env"] = {"env_vars": {"OPENBLAS_NUM_THREADS": "1"}}
        kind = ray.remote(max_task_retries=-1, **options)(_Worker)
        workers = [kind.remote() for _ in range(order.workers)]
        places = [number / order.workers for number in range(order.workers)]
        ray.get(
            [
                worker.work.remote(list(units), order, number, place, processors)
                for number, (worker, place) in enumerate(zip(workers, places, strict=True))
            ]
        )
    finally:
        if ours:
            ray.shutdown()


class _Worker:
    """An actor: a process somewhere that loads networks once."""

    def work(
        self, units: list[Unit], order: WorkOrder, number: int, place: float, processors: float
    ) -> None:
        """Work through the list."""
        # Ray sets the GPUs, but leaves all processors to everyone.
        share_processors(max(1, round((os.cpu_count() or 1) / max(processors, 1.0))))
        work_until_done(units, order, number, lambda _: None, lambda: False, place)


def _ray() -> Any:  # noqa: ANN401 (loaded only here)
    try:
        import ray
    except ImportError as error:
        msg = "Ray is not installed; run: pip install 'rvsam-video[ray]'"
        raise UsageError(msg) from error
    return ray
