"""A Slurm of two nodes with a GPU each, on this very machine and its loopback only, for tests."""

import os
import platform
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "munged")
# Nodes are given up after two seconds of silence; a task starts anew as soon as its credential has run out.
CONF = """ClusterName=book
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
PlugStackConfig={folder}/plugstack.conf
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0
KillWait=2
SlurmdTimeout=5
MinJobAge=300
GresTypes=gpu
NodeName=gpu1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory=64000 Gres=gpu:1
NodeName=gpu2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory=64000 Gres=gpu:1
PartitionName=gpu Nodes=gpu1,gpu2 Default=YES State=UP MaxTime=600
"""


def why_not():
    """Why no Slurm can be started here, or None."""
    if missing := [name for name in PROGRAMS if not shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")]:
        return f"no {', '.join(missing)}: Debian's packages are slurm-wlm and munge"
    return None if os.geteuid() == 0 else "only root can start Slurm's daemons"


class Slurm:
    """The daemons, which end with ``stop``; ``environment`` is what lets Slurm's programs find them."""

    def __init__(self, folder):
        self.folder = Path(folder)
        (self.folder / "state").mkdir()
        ports = _free_ports(3)
        text = CONF.format(host=platform.node(), folder=folder, ports=ports)
        self._write("slurm.conf", text)
        self._write("gres.conf", "NodeName=gpu[1-2] Name=gpu File=/dev/null\n")  # without File nodes stay invalid
        self._write("plugstack.conf", "")
        self._write("munge.key", os.urandom(128).hex(), mode=0o400)
        self.environment = {
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": f"{os.environ['PATH']}:/usr/sbin",
        }
        named = [f"--{name}-file={folder}/munge.{name}" for name in ("pid", "log", "seed")]
        self.daemons = {
            "munged": self._start(
                "munged", "-F", "--force", f"--key-file={folder}/munge.key", f"-S{folder}/munge.socket", *named
            )
        }
        self.until(lambda: (self.folder / "munge.socket").exists(), "munged answers")
        self.daemons["slurmctld"] = self._start("slurmctld", "-D")
        for node in ("gpu1", "gpu2"):
            self.start_node(node)
        self.until(lambda: self.ask("sinfo", "-h", "-o%T").split() == ["idle"], "both nodes are idle")

    def _write(self, name, text, mode=0o644):
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)

    def _start(self, *command):
        log = (self.folder / f"{command[0]}-{len(list(self.folder.glob('*.out')))}.out").open("w")
        return subprocess.Popen(
            command, env=os.environ | self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip

    def start_node(self, node):
        self.daemons[node] = self._start("slurmd", "-D", "-N", node)

    def kill_node(self, node):
        """What a power cut does: the daemon and all that it started, at once."""
        for process in list(self._processes(node)):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.daemons[node].wait()

    def _processes(self, node):
        """The daemon of a node and all that came of it, those who would tell of another's death first."""
        yield self.daemons[node].pid
        mark = f"SLURMD_NODENAME={node}".encode()
        tasks = [path for path in Path("/proc").glob("[0-9]*") if mark in _read(path / "environ").split(b"\0")]
        parents = {int(_read(path / "stat").rpartition(b")")[2].split()[1]) for path in tasks}
        yield from (pid for pid in parents if _read(Path(f"/proc/{pid}/cmdline")).startswith(b"slurmstepd"))
        yield from (int(path.name) for path in tasks)

    def ask(self, *command):
        done = subprocess.run(command, env=os.environ | self.environment, capture_output=True, text=True, timeout=30)
        return done.stdout

    def until(self, condition, what, seconds=120):
        """Wait until something is so; fail when it takes too long."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"waited in vain until {what}\n{self.ask('squeue', '--array')}"
            time.sleep(0.1)

    def stop(self):
        self.ask("scancel", "--me")
        for name, daemon in reversed(self.daemons.items()):
            if name.startswith("gpu"):
                self.kill_node(name)
            daemon.terminate()
            daemon.wait(timeout=20)


def _read(path):
    """What a file of /proc says, or nothing when its process has ended."""
    try:
        return path.read_bytes()
    except OSError:
        return b") ? 0"


def _free_ports(count):
    """Numbers of ports of the loopback that are free now."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports
