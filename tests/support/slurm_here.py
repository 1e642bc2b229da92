"""A Slurm cluster of two nodes on this machine, for the tests: Debian's packages, extracted into a folder.

This installs nothing and needs no rights: it uses `apt-get download` and `dpkg -x`, a controller and two
daemons with the names `localhost` and the host's name, and no authentication.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from free_ports import find_free_ports

# The basic plugins contain libslurmfull.so, which sbatch needs.
PACKAGES = (
    "slurm-client", "slurmctld", "slurmd", "slurm-wlm-basic-plugins", "libmunge2", "libhwloc15", "libnuma1",
    "libpam0g", "liblz4-1", "libreadline8",
)  # fmt: skip
CONFIG = """ClusterName=here
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
MpiDefault=none
ProctrackType=proctrack/pgid
TaskPlugin=task/none
ReturnToService=2
SlurmctldPort={ports[0]}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
PluginDir={libraries}
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName={host} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs={cores} RealMemory=1000
NodeName=localhost NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs={cores} RealMemory=1000
PartitionName=all Nodes={host},localhost Default=YES MaxTime=INFINITE State=UP
"""


def is_available() -> bool:
    """Return whether this is a Debian system or a derivative."""
    return shutil.which("apt-get") is not None and shutil.which("dpkg") is not None


def extract_packages(folder: Path) -> Path:
    """Download and extract the packages once, and return the folder of their files."""
    root = folder / "root"
    if not root.is_dir():
        draft = folder / "draft"
        draft.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "-qq", "download", *PACKAGES], cwd=draft, check=True, capture_output=True)
        for package in draft.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package.name, "root"], cwd=draft, check=True)
        (draft / "root").replace(root)
        shutil.rmtree(draft)
    return root


class Cluster:
    """The cluster's three processes; ``environment`` has the variables for sbatch and its jobs."""

    def __init__(self, root: Path, folder: Path) -> None:
        (libraries,) = root.glob("usr/lib/*/slurm-wlm")
        host = socket.gethostname().partition(".")[0]
        self.nodes = (host, "localhost")
        for name in ("state", *(f"spool-{node}" for node in self.nodes)):
            (folder / name).mkdir()
        ports = find_free_ports(3)
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        config = folder / "slurm.conf"
        values = {"host": host, "user": user, "ports": ports, "folder": folder, "libraries": libraries}
        config.write_text(CONFIG.format(**values, cores=os.cpu_count()))
        library_path = f"{libraries}:{libraries.parent}:{root / 'lib' / libraries.parent.name}"
        self.environment = {
            **os.environ,
            "SLURM_CONF": str(config),
            "LD_LIBRARY_PATH": library_path,
            "PATH": f"{root / 'usr/bin'}:{os.environ['PATH']}",
        }
        daemons = root / "usr" / "sbin"
        step = str(daemons / "slurmstepd-wlm")
        commands = [[str(daemons / "slurmctld-wlm"), "-c", "-D"]]
        commands += [[str(daemons / "slurmd-wlm"), "-D", "-N", node, "-d", step] for node in self.nodes]
        with (folder / "output.txt").open("w") as output:
            self.processes = [
                subprocess.Popen(command, env=self.environment, stdout=output, stderr=output)
                for command in commands
            ]
        self._wait_until_idle(folder)

    def _wait_until_idle(self, folder: Path) -> None:
        for _ in range(240):
            if self.run("sinfo", "-h", "-o", "%D %t").stdout.strip() == "2 idle":
                return
            time.sleep(0.5)
        raise AssertionError(f"no cluster: {(folder / 'output.txt').read_text()[-3000:]}")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one of Slurm's commands."""
        return subprocess.run(words, env=self.environment, capture_output=True, text=True, check=False)

    def end(self) -> None:
        """Stop the three processes."""
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait(timeout=300)
