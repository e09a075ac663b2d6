"""Workers of Dask as SLURM jobs, for the tiles of one year on many nodes.

    pip install -e ".[slurm]"
    python workflow/dask_slurm.py --jobs 8 --cores 16 --memory 32GB --queue standard
    python workflow/dask_slurm.py --jobs 4 --gpu --queue gpu

starts the jobs, prints the address for `inference.scheduler_address` and waits until it is stopped.
With --gpu each job has one GPU and one worker. All nodes must see the same folder.
"""

from __future__ import annotations

import argparse
import signal

from dask_jobqueue.slurm import SLURMCluster


def start_cluster(kind, cores: int, memory: str, gpu: bool, **options):
    """A cluster whose jobs are one worker each: as many threads as cores, two with a GPU.

    Of two threads one reads and writes while the other one's tile is on the GPU.

    Parameters
    ----------
    kind : type
        `SLURMCluster`, or another class of dask-jobqueue.
    """
    if gpu:
        options["job_extra_directives"] = ["--gres=gpu:1"]
        options["worker_extra_args"] = ["--nthreads", "2"]
    return kind(
        cores=cores,
        processes=1,
        memory=memory,
        job_script_prologue=["export OMP_NUM_THREADS=1"],  # parallel over tiles, not within
        **options,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Dask workers as SLURM jobs")
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--cores", type=int, default=8)
    parser.add_argument("--memory", default="16GB")
    parser.add_argument("--queue")
    parser.add_argument("--walltime", default="02:00:00")
    parser.add_argument("--gpu", action="store_true")
    settings = vars(parser.parse_args())
    jobs = settings.pop("jobs")
    with start_cluster(SLURMCluster, **settings) as cluster:
        cluster.scale(jobs=jobs)
        print(cluster.scheduler_address, flush=True)
        signal.pause()
