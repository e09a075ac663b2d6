"""What a SLURM cluster is told: the jobs of Dask workers, and those of Snakemake.

There is no SLURM here: scripts are rendered, not run.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from dask_jobqueue.slurm import SLURMCluster

REPO = Path(__file__).parents[2]
LOCAL = {"scheduler_options": {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}}


@pytest.fixture(scope="module")
def start_cluster():
    spec = importlib.util.spec_from_file_location("dask_slurm", REPO / "workflow/dask_slurm.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.start_cluster


@pytest.mark.parametrize("gpu", [False, True])
def test_the_job_of_a_worker(start_cluster, gpu):
    settings = {"cores": 16, "memory": "32GB", "queue": "standard", "walltime": "02:00:00"}
    with start_cluster(SLURMCluster, gpu=gpu, **settings, **LOCAL) as cluster:
        script = cluster.job_script()
        address = cluster.scheduler_address
    for line in ("#SBATCH -p standard", "#SBATCH --cpus-per-task=16", "#SBATCH -t 02:00:00"):
        assert line in script
    assert address in script and "export OMP_NUM_THREADS=1" in script
    assert ("#SBATCH --gres=gpu:1" in script) == gpu
    worker = script.splitlines()[-1] if script.splitlines()[-1] else script.splitlines()[-2]
    assert worker.rindex(f"--nthreads {2 if gpu else 16}") == worker.rindex("--nthreads")


def test_the_profile_of_snakemake_is_understood():
    (profile,) = REPO.glob("**/profiles/slurm")
    command = [sys.executable, "-m", "snakemake", "--workflow-profile", str(profile), "-n"]
    command += ["--configfile", "workflow/config/smoke.yaml", "--quiet", "rules"]
    result = subprocess.run(command, cwd=REPO, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "predict_tiles" in result.stdout
