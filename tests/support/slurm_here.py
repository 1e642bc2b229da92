"""A Slurm of two machines on this one, for nobody but the tests: Debian's packages, laid out in a folder.

Nothing is installed and no rights are asked for: `apt-get download` and `dpkg -x`, a controller and two
daemons that know one another by `localhost` and the host's name, and no authentication.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

# libslurmfull.so, without which sbatch does not start, is in the basic plugins.
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


def can_be_had() -> bool:
    """Whether this is a Debian or one of its children."""
    return shutil.which("apt-get") is not None and shutil.which("dpkg") is not None


def lay_out(folder: Path) -> Path:
    """The packages' files, fetched once."""
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
    """The three processes; ``environment`` is what sbatch and its jobs need."""

    def __init__(self, root: Path, folder: Path) -> None:
        (libraries,) = root.glob("usr/lib/*/slurm-wlm")
        host = socket.gethostname().partition(".")[0]
        self.nodes = (host, "localhost")
        for name in ("state", *(f"spool-{node}" for node in self.nodes)):
            (folder / name).mkdir()
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
        ports = [one.getsockname()[1] for one in sockets]
        for one in sockets:
            one.close()
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        config = folder / "slurm.conf"
        told = {"host": host, "user": user, "ports": ports, "folder": folder, "libraries": libraries}
        config.write_text(CONFIG.format(**told, cores=os.cpu_count()))
        beside = f"{libraries}:{libraries.parent}:{root / 'lib' / libraries.parent.name}"
        self.environment = {
            **os.environ,
            "SLURM_CONF": str(config),
            "LD_LIBRARY_PATH": beside,
            "PATH": f"{root / 'usr/bin'}:{os.environ['PATH']}",
        }
        daemons = root / "usr" / "sbin"
        step = str(daemons / "slurmstepd-wlm")
        words = [[str(daemons / "slurmctld-wlm"), "-c", "-D"]]
        words += [[str(daemons / "slurmd-wlm"), "-D", "-N", node, "-d", step] for node in self.nodes]
        with (folder / "said.txt").open("w") as said:
            self.processes = [
                subprocess.Popen(one, env=self.environment, stdout=said, stderr=said) for one in words
            ]
        self._until_idle(folder)

    def _until_idle(self, folder: Path) -> None:
        for _ in range(240):
            if self.run("sinfo", "-h", "-o", "%D %t").stdout.strip() == "2 idle":
                return
            time.sleep(0.5)
        raise AssertionError(f"no cluster: {(folder / 'said.txt').read_text()[-3000:]}")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One of Slurm's commands."""
        return subprocess.run(words, env=self.environment, capture_output=True, text=True, check=False)

    def end(self) -> None:
        """Stop the three."""
        for one in reversed(self.processes):
            one.terminate()
        for one in self.processes:
            one.wait(timeout=60)
