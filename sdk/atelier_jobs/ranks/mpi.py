"""How Open MPI is started across the nodes of a run: its command line, host file and settings. Pure but for files."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from atelier_jobs.ranks.layout import Layout

NO_MPIRUN = (
    "Open MPI (mpirun) is not in this image: the processes run side by side with the OMPI_* variables, "
    "but MPI_Init finds one process only. Take an image with Open MPI, such as AzureML-PyTorch."
)


def mpirun(path: str | None) -> str | None:
    """Where mpirun is on a search path; None when it is not installed."""
    return shutil.which("mpirun", path=path)


def host_file(layout: Layout) -> str:
    """Nodes in the order of their ranks, each with as many slots as processes."""
    slots: dict[str, int] = {}
    for node in range(layout.nodes):
        slots[layout.host_of(node)] = slots.get(layout.host_of(node), 0) + layout.processes_per_node
    return "".join(f"{host} slots={count}\n" for host, count in slots.items())


def command(program: str, layout: Layout, hosts: Path, rank: list[str]) -> list[str]:
    """mpirun with one wrapped process a rank. Ranks fill a host before the next begins (--map-by slot)."""
    return [
        program,
        *("-np", str(layout.world)),
        *("--hostfile", str(hosts)),
        *("--map-by", "slot"),
        # Several runs share the cores of a machine; binding would put all of them on the first ones.
        *("--bind-to", "none"),
        *rank,
    ]


def settings(agent: Path, remote: bool) -> dict[str, str]:
    """Open MPI's own settings, as environment variables: the same under its versions 4 and 5 where both have them."""
    values = {
        # Containers may not read each other's memory; without this each rank prints a complaint.
        "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
        # A rank that waits looks without end; on shared cores it gives them up between two looks.
        "OMPI_MCA_mpi_yield_when_idle": "1",
        # Ethernet and shared memory; no search for hardware that a container does not see.
        "OMPI_MCA_btl": "self,vader,tcp",
        "OMPI_MCA_pml": "ob1",
        "OMPI_MCA_btl_openib_warn_no_device_params_found": "0",
        # A rank that is stopped has this long to write how it ended.
        "OMPI_MCA_odls_base_sigkill_timeout": "1",
        # On one machine without containers the worker may be root; the processes are the user's all the same.
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        # More ranks than cores is what people ask for on a small machine.
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
    }
    if remote:
        values |= {
            "OMPI_MCA_plm": "rsh",
            "OMPI_MCA_plm_rsh_agent": str(agent),
            "PRTE_MCA_plm_ssh_agent": str(agent),
            # The head starts all daemons: a node's launcher serves the head alone.
            "OMPI_MCA_plm_rsh_no_tree_spawn": "1",
            # Daemons stay children of the launchers, so that they end with them.
            "OMPI_MCA_orte_leave_session_attached": "1",
            # A container's user has no shell in /etc/passwd to be asked for; the launchers use this one.
            "SHELL": "/bin/sh",
            "OMPI_MCA_plm_rsh_assume_same_shell": "1",
            # A name such as node-1 is a name, not the first part of one.
            "OMPI_MCA_orte_keep_fqdn_hostnames": "1",
        }
    return values


def write_agent(folder: Path, root: Path) -> Path:
    """The program that Open MPI calls in place of ssh, made executable; `root` is where atelier_jobs is imported from."""
    file = folder / "rsh"
    code = f"import sys; sys.path.insert(0, {str(root)!r}); from atelier_jobs.ranks.rsh import main; sys.exit(main(sys.argv[1:]))"
    file.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -c {shlex.quote(code)} "$@"\n')
    file.chmod(0o700)
    return file


def without_launcher(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without Open MPI's own variables: a launcher inside an MPI job must not take itself for a rank."""
    return {k: v for k, v in environment.items() if not k.startswith(("OMPI_COMM_", "PMIX_", "OMPI_UNIVERSE"))}
