# SPDX-License-Identifier: Apache-2.0
"""The bound: one paramiko channel a host, one piped program that does it all, nothing else. `python bound.py TARGETS.json`"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import paramiko

from provisioning.state import FILES, FOLDERS, LINKS, STAMP, TEMPLATES, unit

PROGRAM = """
import json, os, subprocess, sys
want = json.loads(sys.stdin.readline())
changed = 0
os.makedirs(want["base"], exist_ok=True)
os.chdir(want["base"])
for folder in want["folders"]:
    if not os.path.isdir(folder):
        os.mkdir(folder, 0o755)
        changed += 1
for path, text in want["files"].items():
    try:
        same = open(path).read() == text and os.stat(path).st_mode & 0o777 == 0o644
    except OSError:
        same = False
    if not same:
        with open(path + ".new", "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(path + ".new", 0o644)
        os.rename(path + ".new", path)
        changed += 1
for path, target in want["links"].items():
    if not (os.path.islink(path) and os.readlink(path) == target):
        os.symlink(target, path)
        changed += 1
if not os.path.exists(want["stamp"]):
    subprocess.run(["/bin/touch", want["stamp"]], check=True)
    changed += 1
print(changed)
"""


def one(target: dict[str, Any], known_hosts: str, key: str) -> int:
    units = {path: unit(target["name"], number) for path, number in TEMPLATES.items()}
    want = {
        "base": target["base"],
        "folders": FOLDERS,
        "files": {**FILES, **units},
        "links": LINKS,
        "stamp": STAMP,
    }
    with paramiko.SSHClient() as client:
        client.load_host_keys(known_hosts)
        client.connect(
            "127.0.0.1", target["port"], "root", key_filename=key, look_for_keys=False, allow_agent=False
        )
        stdin, stdout, _ = client.exec_command(
            f"exec python3 -c 'import sys; exec(sys.stdin.read({len(PROGRAM)}))'"
        )
        stdin.write(PROGRAM + json.dumps(want) + "\n")
        stdin.channel.shutdown_write()
        return int(stdout.read())


def main() -> None:
    with open(sys.argv[1]) as file:
        told = json.load(file)
    with ThreadPoolExecutor(64) as pool:
        changed = list(
            pool.map(lambda target: one(target, told["known_hosts"], told["key"]), told["targets"])
        )
    print(f"changed={sum(changed)}")


if __name__ == "__main__":
    main()
