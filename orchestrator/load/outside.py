# SPDX-License-Identifier: Apache-2.0
"""What Ansible has and labctl has not, and what to write instead: modules, keywords of plays, tasks and roles, filters, tests.

A name that is here never gets a hint by the likeness of its spelling.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_COMMAND = "Write it as command or shell, with creates or changed_when."
_DEBIAN = "labctl's hosts are Debian: use apt."
_REPOSITORY = "Use deb822_repository, whose signed_by takes the key's address."
_FACTS = "Its facts are not gathered: register what a command prints."
_ON_HOSTS = "labctl's tasks are carried out on the hosts."
_CONTAINERS = "Write it as command with the runtime's own program, with creates or changed_when."
_NO_SELINUX = "labctl's hosts are Debian, where SELinux is off: leave it out."
_INVENTORY = "Write the hosts and groups in the inventory."
_RELOAD = "Write /etc/sysctl.d/NAME.conf with copy, and notify a handler with command: sysctl --system."

MODULES: Mapping[str, str] = {
    "action": "Write the module's name as the key.",
    "add_host": _INVENTORY,
    "apt_key": _REPOSITORY,
    "apt_repository": _REPOSITORY,
    "apt_rpm": _DEBIAN,
    "archive": "Write it as command: tar, with creates.",
    "assemble": "Use template or copy with the whole content.",
    "async_status": "labctl waits for every task.",
    "at": _COMMAND,
    "authorized_key": "Use lineinfile on ~/.ssh/authorized_keys with create: true and mode: '0600'.",
    "blockinfile": "Use copy or template for a file of its own, or lineinfile.",
    "cron": "Use copy to write a file in /etc/cron.d.",
    "debconf": "Write it as shell: debconf-set-selections.",
    "dnf": _DEBIAN,
    "dnf5": _DEBIAN,
    "docker_container": _CONTAINERS,
    "docker_image": _CONTAINERS,
    "dpkg_selections": "Write it as command: apt-mark hold NAME, with changed_when.",
    "expect": "Write it as shell with the answers as stdin.",
    "filesystem": "Write it as command: mkfs, with a condition from a registered blkid.",
    "find": "Register a shell: find, with changed_when: false.",
    "firewalld": _COMMAND,
    "gather_facts": "Write gather_facts: true at the play.",
    "gem": _COMMAND,
    "getent": "Register a command: getent, with changed_when: false.",
    "git": "Write it as command: git clone, with creates, or fetch an archive with unarchive.",
    "group_by": _INVENTORY,
    "hostname": "Write it as command: hostnamectl hostname NAME, when ansible_hostname is another.",
    "htpasswd": _COMMAND,
    "include": "Use import_tasks or import_playbook.",
    "include_role": "List the role below `roles:`.",
    "include_tasks": "Use import_tasks.",
    "include_vars": "Use vars_files at the play.",
    "import_role": "List the role below `roles:`.",
    "ini_file": "Use lineinfile, or template for the whole file.",
    "iptables": _COMMAND,
    "kernel_blacklist": "Use copy to write a file in /etc/modprobe.d.",
    "known_hosts": "Use lineinfile on ~/.ssh/known_hosts with create: true.",
    "k8s": "Write it as command: kubectl apply, with changed_when.",
    "local_action": _ON_HOSTS,
    "locale_gen": "Use lineinfile on /etc/locale.gen, and notify command: locale-gen.",
    "logrotate": "Use copy to write a file in /etc/logrotate.d.",
    "lvg": _COMMAND,
    "lvol": _COMMAND,
    "make": "Write it as command: make, with creates.",
    "modprobe": "Write it as command: modprobe NAME, and the name with copy into a file in /etc/modules-load.d.",
    "mount": "Use lineinfile on /etc/fstab, and notify command: mount -a.",
    "mount_facts": _FACTS,
    "npm": _COMMAND,
    "openssl_certificate": "Write it as command: openssl, with creates.",
    "openssl_privatekey": "Write it as command: openssl, with creates.",
    "package": _DEBIAN,
    "package_facts": "Register a command: dpkg-query -W NAME, with changed_when: false.",
    "pam_limits": "Use copy to write a file in /etc/security/limits.d.",
    "parted": _COMMAND,
    "pause": "Write it as command: sleep SECONDS, or use wait_for.",
    "ping": "Run `labctl ping`.",
    "pip": "Write it as command: pip install, with creates, or use apt for Debian's package of it.",
    "raw": "Use shell: labctl installs python3 itself where it is missing.",
    "reboot": "Reboot the hosts between two calls of labctl: a task loses its connection.",
    "rpm_key": _DEBIAN,
    "script": "Use copy for the script, then command.",
    "seboolean": _NO_SELINUX,
    "sefcontext": _NO_SELINUX,
    "selinux": _NO_SELINUX,
    "seport": _NO_SELINUX,
    "service": "Use systemd_service.",
    "service_facts": "Register a command: systemctl is-active NAME, with failed_when: false and changed_when: false.",
    "set_stats": "Use set_fact, or debug.",
    "setup": "Write gather_facts: true at the play.",
    "slurp": "Register a command: cat FILE, with changed_when: false, or use fetch.",
    "snap": _DEBIAN,
    "subversion": _COMMAND,
    "synchronize": "Use copy, or pack the folder and use unarchive.",
    "sysctl": _RELOAD,
    "sysvinit": "Use systemd_service.",
    "tempfile": "Name a folder with file, state directory.",
    "timezone": "Write it as command: timedatectl set-timezone NAME, with changed_when.",
    "ufw": _COMMAND,
    "uri": "Use get_url for a file, or register a command: curl.",
    "validate_argument_spec": "Use assert.",
    "wait_for_connection": "labctl waits for a host's connection itself, or use wait_for.",
    "yum": _DEBIAN,
    "yum_repository": _DEBIAN,
    "xml": "Use template for the whole file.",
    "zypper": _DEBIAN,
}
"""Well-known modules by their short names, also those of collections."""

_LOOP = "Write the waiting as a shell loop with a deadline."
_BECOME = "labctl becomes root with sudo: write `become: true` at the play."
_USER = "Set ansible_user in the inventory."
_SSH = "labctl reaches hosts over SSH."
_STOPS = "A failed host stops alone."
_BLOCK = "Write its tasks one by one, or put them into a file and use import_tasks with `when`."

_ANYWHERE: Mapping[str, str] = {
    **dict.fromkeys(("become_method", "become_exe", "become_flags"), _BECOME),
    "any_errors_fatal": _STOPS,
    "collections": "labctl's modules are all ansible.builtin.",
    "connection": _SSH,
    "debugger": "Use debug, and --check --diff.",
    "ignore_unreachable": _STOPS,
    "module_defaults": "Write the parameters at each task.",
    "port": "Set ansible_port in the inventory.",
    "remote_user": _USER,
    "run_once": "Limit the play to one host.",
}

TASK_KEYS: Mapping[str, str] = {
    **_ANYWHERE,
    **dict.fromkeys(("block", "rescue", "always"), _BLOCK),
    **dict.fromkeys(("async", "poll"), "labctl waits for every task."),
    **dict.fromkeys(("delegate_to", "delegate_facts"), _ON_HOSTS),
    **dict.fromkeys(("until", "retries", "delay"), _LOOP),
    **{
        name: MODULES[name]
        for name in (
            "action",
            "local_action",
            "include_tasks",
            "include_role",
            "import_role",
            "include_vars",
        )
    },
}
PLAY_KEYS: Mapping[str, str] = {
    **{name: hint for name, hint in _ANYWHERE.items() if name != "any_errors_fatal"},
    **dict.fromkeys(("check_mode", "diff"), "Write it at each task, or use --check and --diff."),
    **dict.fromkeys(
        ("fact_path", "gather_subset", "gather_timeout"), "Facts are always gathered, in one turn."
    ),
    **dict.fromkeys(("throttle", "timeout", "ignore_errors"), "Write it at each task."),
    "force_handlers": "Handlers run where all tasks went well.",
    "include": MODULES["include"],
    "max_fail_percentage": _STOPS,
    "order": "Hosts are worked on at the same time.",
    "serial": "Use --forks or --limit.",
    "strategy": "Within a play each host goes its own way, as with Ansible's `free`.",
    "sudo": _BECOME,
    "user": _USER,
    "vars_prompt": "Use -e NAME=VALUE.",
}
ROLE_KEYS: Mapping[str, str] = {
    **_ANYWHERE,
    **dict.fromkeys(
        ("check_mode", "diff", "environment", "ignore_errors", "no_log", "throttle", "timeout"),
        "Write it at the play, or at each task of the role.",
    ),
    "delegate_to": _ON_HOSTS,
}
LOOP_KEYS: Mapping[str, str] = {
    **dict.fromkeys(("extended", "extended_allitems"), "Use index_var, and `LIST | length`."),
    "break_when": "Write the choice into the loop's list, with select or rejectattr.",
    "pause": "Write the waiting into the command, as sleep SECONDS.",
}

_NO_VAULTS = "Take secrets from the environment: lookup('env', NAME)."
FILTERS: Mapping[str, str] = {
    **dict.fromkeys(("ipaddr", "ipv4", "ipv6", "ipwrap"), "Take the parts from ansible_default_ipv4."),
    **dict.fromkeys(("vault", "unvault"), _NO_VAULTS),
    "json_query": "Use selectattr, map and dict2items.",
    "password_hash": "Register a command: openssl passwd -6 -stdin, or write the hash.",
}
TESTS: Mapping[str, str] = {"vaulted_file": _NO_VAULTS}


def module_hint(name: str, modules: Iterable[str]) -> str:
    """What to write instead of a module that labctl has not; ``name`` may have a collection's name before it."""
    short = name.rpartition(".")[2]
    if short in MODULES:
        return MODULES[short]
    typo = None if "." in name else misspelt(name, modules)
    return f"Did you mean '{typo}'?" if typo else f"{_COMMAND} Modules: {', '.join(modules)}."


def misspelt(name: str, known: Iterable[str]) -> str | None:
    """The known name that differs by one letter, which is wrong, missing, too many, or in its neighbour's place."""
    return next((other for other in known if len(name) > 3 and _one_letter_apart(name, other)), None)


def _one_letter_apart(first: str, second: str) -> bool:
    if first == second or abs(len(first) - len(second)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), None)
    if start is None:
        return True
    first, second = first[start:], second[start:]
    swapped = first[1::-1] + first[2:] == second and len(first) > 1
    return swapped or first[1:] == second[1:] or first[1:] == second or first == second[1:]
