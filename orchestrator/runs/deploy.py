# SPDX-License-Identifier: Apache-2.0
"""What a host must become to have the agent: steps, compiled from what is there already. Pure.

/opt/labctl/agent/VERSION/        one folder a version, complete where its marker is
/opt/labctl/agent/current         a link to the one in use; the one before it stays, older ones go
/usr/local/bin/labctl-agent       runs the current one
labctl-agent.service              serves on a root-only Unix socket, and nowhere else, while there is something to do
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.runs.bundle import MARKER, Bundle
from remote_agent.contract.steps import BlobRef, Step

BASE = "/opt/labctl/agent"
COMMAND = "/usr/local/bin/labctl-agent"
UNIT = "labctl-agent.service"
RELAY = f"{COMMAND} relay"
IDLE_S = 60
LOOK = rf"""
for link in {BASE}/current; do [ -L $link ] && echo "current $(readlink $link)"; done
for path in {BASE}/*/; do [ -L ${{path%/}} ] || [ ! -d $path ] || echo "version $(basename $path)"; done
pid=$(systemctl show --property MainPID --value {UNIT})
tr '\0' '\n' 2>/dev/null </proc/${{pid:-0}}/environ | sed -n 's#^PYTHONPATH={BASE}/\([^:]*\):.*#running \1#p'
true
"""
"""A shell command that changes nothing and says what `Installed.parse` reads."""

WRAPPER = f"""\
#!/bin/sh
# Written by labctl: runs the agent that is deployed here, and no other Python package of this host.
here=$(readlink -f {BASE}/current) || exit 1
PYTHONPATH=$here:$here/wheels exec python3 -P -s -m remote_agent.agent.main "$@"
"""

SERVICE = f"""\
# Written by labctl.
[Unit]
Description=labctl's agent: executes benchmark runs on this host
# Started after the runtimes, and so ended before them: what is under way is cleaned up while they still answer.
After=containerd.service crio.service
# However often it dies, it comes back.
StartLimitIntervalSec=0

[Service]
# It ends when there is nothing to do; whoever wants something of it starts it (labctl-agent relay, status, ...), and so does a boot.
ExecStart={COMMAND} serve --idle {IDLE_S}
Restart=on-failure
RestartSec=1
KillMode=mixed
TimeoutStopSec=120

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True, slots=True)
class Installed:
    """What is on the host: the version that `labctl-agent` runs, the one that the service runs (None: none), and all there are."""

    current: str | None = None
    running: str | None = None
    versions: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Installed:
        """Of what the command LOOK says."""
        said = [line.split(" ", 1) for line in text.splitlines() if " " in line]
        found = {
            key: tuple(value for word, value in said if word == key)
            for key in ("current", "running", "version")
        }
        current, running = (next(iter(found[key]), None) for key in ("current", "running"))
        return cls(current, running, found["version"])


def install_steps(bundle: Bundle, installed: Installed) -> list[Step]:
    """Steps that bring the bundle into place. A changed one among them means that the service must restart."""
    folder = f"{BASE}/{bundle.version}"
    return _numbered(
        ("the agent's folder", "file", {"path": folder, "state": "directory", "mode": "0755"}),
        ("the agent and its wheels", "unarchive", {
            "src": BlobRef(bundle.sha256, bundle.size).to_json(), "dest": folder, "creates": f"{folder}/{MARKER}"}),
        ("the version in use", "file", {
            "path": f"{BASE}/current", "src": bundle.version, "state": "link", "force": True}),
        ("the command labctl-agent", "copy", {"content": WRAPPER, "dest": COMMAND, "mode": "0755"}),
        ("the agent's unit", "copy", {"content": SERVICE, "dest": f"/etc/systemd/system/{UNIT}", "mode": "0644"}),
        *(
            (f"the old version {name}", "file", {"path": f"{BASE}/{name}", "state": "absent"})
            for name in stale(bundle, installed)
        ),
    )  # fmt: skip


def service_steps(changed: bool) -> list[Step]:
    """The service runs, and (``changed``) runs what was just installed."""
    state = "restarted" if changed else "started"
    args = {"name": UNIT, "state": state, "enabled": True, "daemon_reload": changed}
    return _numbered(("the agent's service", "systemd_service", args))


def stale(bundle: Bundle, installed: Installed) -> list[str]:
    """Versions that nobody needs: all but the new one and the one before it."""
    keep = {bundle.version, installed.current}
    if installed.current == bundle.version:
        return []  # which one was before is not known any more; the next change removes what is old then
    return [name for name in installed.versions if name not in keep]


def _numbered(*steps: tuple[str, str, Mapping[str, Any]]) -> list[Step]:
    return [
        Step(id=index, name=name, module=module, args=args)
        for index, (name, module, args) in enumerate(steps)
    ]
