# SPDX-License-Identifier: Apache-2.0
"""The modules that playbooks may use, and their parameters: what a loader refuses, and what it calls things.

Names and meanings are Ansible's (ansible.builtin); what is not in the table is not supported by labctl's runner.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from orchestrator.load import rules
from orchestrator.load.parameters import ModuleSpec, Param

_ATTRIBUTES = {"mode": Param("mode"), "owner": Param(), "group": Param()}
_WRITES = {
    **_ATTRIBUTES,
    "dest": Param(required=True),
    "force": Param("bool"),
    "backup": Param("bool"),
    "follow": Param("bool"),
    "validate": Param(),
}
_COMMAND = {
    "cmd": Param(),
    "chdir": Param(),
    "creates": Param(),
    "removes": Param(),
    "stdin": Param(),
    "stdin_add_newline": Param("bool"),
    "strip_empty_ends": Param("bool"),
}
_EDITS = {
    **_ATTRIBUTES,
    "path": Param(required=True, aliases=("dest", "destfile", "name")),
    "backup": Param("bool"),
    "validate": Param(),
}
_NO_SELINUX = "labctl sets no SELinux context: leave it out."
_NO_ATTRIBUTES = {
    "attributes": "Write it as command: chattr.",
    "attr": "Write it as command: chattr.",
    "unsafe_writes": "labctl writes every file aside and renames it: leave it out.",
    **dict.fromkeys(("selevel", "serole", "setype", "seuser"), _NO_SELINUX),
}
_SIGNED = "Use deb822_repository with the repository's key as signed_by."
_NO_VAULTS = "Vaults are not supported; take the value from the environment: lookup('env', NAME)."
_LOCAL_ACCOUNTS = "labctl's runner uses useradd and its like, which change local accounts: leave it out."
_RANGE = "Set the range in /etc/login.defs with lineinfile, or name the number."
_KEYS = "Write it as command: ssh-keygen, with creates."
_KEY_PARAMETERS = (
    "generate_ssh_key",
    "ssh_key_bits",
    "ssh_key_comment",
    "ssh_key_file",
    "ssh_key_passphrase",
    "ssh_key_type",
)
_AGES = (
    "password_expire_account_disable",
    "password_expire_max",
    "password_expire_min",
    "password_expire_warn",
)
_CHAGE = "Write it as command: chage."
_OTHER_SYSTEM = "It is of another system than Debian: leave it out."
_NEVER = ("False", "false", "no")
"""What labctl's stat does not say: it costs a process each."""
_UNIT_STATES = ("started", "stopped", "restarted", "reloaded")
_SYSTEMD = {
    "name": Param(aliases=("service", "unit")),
    "state": Param(choices=_UNIT_STATES),
    "enabled": Param("bool"),
    "masked": Param("bool"),
    "daemon_reload": Param("bool", aliases=("daemon-reload",)),
    "no_block": Param("bool"),
}

_NO_SYSTEMD = {
    **dict.fromkeys(("daemon_reexec", "daemon-reexec"), "Write it as command: systemctl daemon-reexec."),
    "force": "Write it as command: systemctl enable --force, with creates.",
    "scope": "labctl manages the system's units: write it as command: systemctl --user.",
}

_SPECS = (
    ModuleSpec(
        "apt",
        {
            "name": Param("list", aliases=("package", "pkg")),
            "deb": Param(),
            "state": Param(choices=("present", "latest", "absent")),
            "update_cache": Param("bool", aliases=("update-cache",)),
            "cache_valid_time": Param("int"),
            "install_recommends": Param("bool", aliases=("install-recommends",)),
            "default_release": Param(aliases=("default-release",)),
            "allow_downgrade": Param(
                "bool", aliases=("allow-downgrade", "allow_downgrades", "allow-downgrades")
            ),
            "purge": Param("bool"),
            "autoremove": Param("bool"),
            "lock_timeout": Param("int"),
        },
        exclusive=(("deb", "name"),),
        refused={
            **dict.fromkeys(("allow_unauthenticated", "allow-unauthenticated"), _SIGNED),
            **dict.fromkeys(("autoclean", "clean"), "Write it as command: apt-get clean."),
            "allow_change_held_packages": "Write it as command: apt-mark unhold, before.",
            "auto_install_module_deps": "labctl's runner needs no python3-apt: leave it out.",
            "dpkg_options": "labctl keeps the host's configuration files: leave it out.",
            "fail_on_autoremove": "Look at --check --diff, and leave it out.",
            "force": _SIGNED,
            "force_apt_get": "labctl always uses apt-get: leave it out.",
            "only_upgrade": "Use state: latest, when a registered dpkg-query says that it is there.",
            "policy_rc_d": "Write /usr/sbin/policy-rc.d with copy.",
            "upgrade": "Write it as command: apt-get -y dist-upgrade, with changed_when.",
            **dict.fromkeys(
                ("update_cache_retries", "update_cache_retry_max_delay"),
                "labctl tries three times: leave it out.",
            ),
        },
        rules=(rules.packages_are_named,),
    ),
    ModuleSpec(
        "assert",
        {
            "that": Param("any", required=True),
            "fail_msg": Param(aliases=("msg",)),
            "success_msg": Param(),
            "quiet": Param("bool"),
        },
        local=True,
    ),
    ModuleSpec(
        "command",
        {**_COMMAND, "argv": Param("list"), "expand_argument_vars": Param("bool")},
        one_of=(("cmd", "argv"),),
        free_form="cmd",
        rules=(rules.command_has_words,),
    ),
    ModuleSpec(
        "copy",
        {
            **_WRITES,
            "src": Param(),
            "content": Param("content"),
            "remote_src": Param("bool"),
            "directory_mode": Param("mode"),
        },
        one_of=(("src", "content"),),
        refused={
            **_NO_ATTRIBUTES,
            "checksum": "labctl verifies every file that it sends: leave it out.",
            "decrypt": _NO_VAULTS,
            "local_follow": "labctl follows the controller's links: leave it out.",
        },
        rules=(rules.content_has_a_file,),
    ),
    ModuleSpec(
        "deb822_repository",
        {
            "name": Param(required=True),
            "state": Param(choices=("absent", "present")),
            "types": Param("list", choices=("deb", "deb-src")),
            "uris": Param("list"),
            "suites": Param("list"),
            "components": Param("list"),
            "architectures": Param("list"),
            "signed_by": Param(),
            "mode": Param("mode"),
            **{name: Param("list") for name in ("languages", "targets")},
            **{
                name: Param("bool")
                for name in (
                    "allow_downgrade_to_insecure",
                    "allow_insecure",
                    "allow_weak",
                    "by_hash",
                    "check_date",
                    "check_valid_until",
                    "enabled",
                    "pdiffs",
                    "trusted",
                )
            },
            "date_max_future": Param("int"),
            "inrelease_path": Param(),
        },
        rules=(rules.repository_is_whole, rules.repository_has_a_file_name),
    ),
    ModuleSpec(
        "debug",
        {"msg": Param("any"), "var": Param("any"), "verbosity": Param("int")},
        exclusive=(("msg", "var"),),
        local=True,
    ),
    ModuleSpec("fail", {"msg": Param()}, local=True),
    ModuleSpec(
        "fetch",
        {
            "src": Param(required=True),
            "dest": Param(required=True),
            "flat": Param("bool"),
            "fail_on_missing": Param("bool"),
            "validate_checksum": Param("bool"),
        },
    ),
    ModuleSpec(
        "file",
        {
            **_ATTRIBUTES,
            "path": Param(required=True, aliases=("dest", "name")),
            "state": Param(choices=("absent", "directory", "file", "hard", "link", "touch")),
            "src": Param(),
            "force": Param("bool"),
            "follow": Param("bool"),
            "recurse": Param("bool"),
            "access_time": Param(choices=("now", "preserve")),
            "modification_time": Param(choices=("now", "preserve")),
        },
        refused={
            **_NO_ATTRIBUTES,
            **dict.fromkeys(
                ("access_time_format", "modification_time_format"),
                "The times are now or preserve: leave it out.",
            ),
        },
        rules=(rules.file_state_fits,),
    ),
    ModuleSpec(
        "get_url",
        {
            **_ATTRIBUTES,
            "url": Param("url", required=True),
            "dest": Param(required=True),
            "checksum": Param("checksum"),
            "force": Param("bool"),
            "backup": Param("bool"),
            "timeout": Param("int"),
            "headers": Param("map"),
            "http_agent": Param(),
            "url_username": Param(aliases=("username",)),
            "url_password": Param(aliases=("password",)),
            "force_basic_auth": Param("bool"),
            "validate_certs": Param("bool"),
            "use_proxy": Param("bool"),
            "decompress": Param("bool"),
        },
        refused={
            **_NO_ATTRIBUTES,
            "ca_path": "Set SSL_CERT_FILE in the task's environment.",
            "ciphers": "Write it as command: curl.",
            "client_cert": "Write it as command: curl.",
            "client_key": "Write it as command: curl.",
            "tmp_dest": "labctl writes aside in the destination's own folder: leave it out.",
            "unredirected_headers": "labctl sends Authorization and Cookie to the first address only: leave it out.",
            "use_gssapi": "Write it as command: curl.",
            "use_netrc": "labctl reads no .netrc: write url_username and url_password.",
        },
        rules=(rules.password_is_whole,),
    ),
    ModuleSpec(
        "group",
        {
            "name": Param(required=True),
            "state": Param(choices=("absent", "present")),
            "gid": Param("int"),
            "system": Param("bool"),
            "non_unique": Param("bool"),
            "force": Param("bool"),
        },
        refused={"local": _LOCAL_ACCOUNTS, "gid_min": _RANGE, "gid_max": _RANGE},
        rules=(rules.id_is_given,),
    ),
    ModuleSpec(
        "lineinfile",
        {
            **_EDITS,
            "state": Param(choices=("absent", "present")),
            "line": Param(aliases=("value",)),
            "regexp": Param("regex", aliases=("regex",)),
            "search_string": Param(),
            "insertafter": Param("regex"),
            "insertbefore": Param("regex"),
            "backrefs": Param("bool"),
            "create": Param("bool"),
            "firstmatch": Param("bool"),
        },
        exclusive=(
            ("insertbefore", "insertafter"),
            ("regexp", "search_string"),
            ("backrefs", "search_string"),
        ),
        refused=_NO_ATTRIBUTES,
        rules=(rules.line_is_named, rules.backrefs_have_a_regexp),
    ),
    ModuleSpec(
        "meta",
        {"action": Param(required=True, choices=("flush_handlers", "noop"))},
        free_form="action",
        local=True,
    ),
    ModuleSpec(
        "replace",
        {
            **_EDITS,
            "regexp": Param("regex", required=True),
            "replace": Param(),
            "after": Param("regex"),
            "before": Param("regex"),
            "encoding": Param(),
        },
        refused=_NO_ATTRIBUTES,
    ),
    ModuleSpec("set_fact", {"cacheable": Param("bool")}, local=True, any_names=True),
    ModuleSpec("shell", {**_COMMAND, "executable": Param()}, one_of=(("cmd",),), free_form="cmd"),
    ModuleSpec(
        "stat",
        {
            "path": Param(required=True, aliases=("dest", "name")),
            "follow": Param("bool"),
            "get_checksum": Param("bool"),
            "get_mime": Param("bool", choices=_NEVER),
            "get_attributes": Param("bool", choices=_NEVER),
            "checksum_algorithm": Param(
                choices=("md5", "sha1", "sha224", "sha256", "sha384", "sha512"),
                aliases=("checksum", "checksum_algo"),
            ),
        },
        refused={
            **dict.fromkeys(
                ("mime", "mime_type", "mime-type"), "Register a command: file --brief --mime-type."
            ),
            **dict.fromkeys(("attr", "attributes"), "Register a command: lsattr."),
        },
    ),
    ModuleSpec("systemd_service", _SYSTEMD, refused=_NO_SYSTEMD, rules=(rules.unit_is_named,)),
    ModuleSpec("systemd", _SYSTEMD, refused=_NO_SYSTEMD, rules=(rules.unit_is_named,)),
    ModuleSpec(
        "template",
        {
            **_WRITES,
            "src": Param(required=True),
            "lstrip_blocks": Param("bool"),
            "trim_blocks": Param("bool"),
        },
        refused={**_NO_ATTRIBUTES, "output_encoding": "labctl writes UTF-8: leave it out."},
    ),
    ModuleSpec(
        "unarchive",
        {
            **_ATTRIBUTES,
            "src": Param(required=True),
            "dest": Param(required=True),
            "remote_src": Param("bool"),
            "creates": Param(),
            "extra_opts": Param("list"),
            "list_files": Param("bool"),
            "validate_certs": Param("bool"),
        },
        refused={
            **_NO_ATTRIBUTES,
            "copy": "Write remote_src: true instead of copy: false.",
            "decrypt": _NO_VAULTS,
            **dict.fromkeys(
                ("exclude", "include", "keep_newer"),
                "Write it as command: tar, with creates or changed_when.",
            ),
            "io_buffer_size": "labctl chooses it: leave it out.",
        },
        rules=(rules.address_is_fetched_by_the_host, rules.extra_opts_are_known),
    ),
    ModuleSpec(
        "user",
        {
            "name": Param(required=True, aliases=("user",)),
            "state": Param(choices=("absent", "present")),
            "uid": Param("int"),
            "non_unique": Param("bool"),
            "group": Param(),
            "groups": Param("list"),
            "append": Param("bool"),
            "comment": Param(),
            "home": Param(),
            "create_home": Param("bool", aliases=("createhome",)),
            "move_home": Param("bool"),
            "skeleton": Param(),
            "shell": Param(),
            "system": Param("bool"),
            "password": Param(),
            "password_lock": Param("bool"),
            "update_password": Param(choices=("always", "on_create")),
            "remove": Param("bool"),
            "force": Param("bool"),
        },
        refused={
            "local": _LOCAL_ACCOUNTS,
            "uid_min": _RANGE,
            "uid_max": _RANGE,
            "umask": "Give the home its mode with file, state directory.",
            "expires": "Write it as command: usermod --expiredate.",
            "seuser": _NO_SELINUX,
            **dict.fromkeys(
                (
                    "password_expire_account_disable",
                    "password_expire_max",
                    "password_expire_min",
                    "password_expire_warn",
                ),
                _CHAGE,
            ),
            **dict.fromkeys(
                (
                    "generate_ssh_key",
                    "ssh_key_bits",
                    "ssh_key_comment",
                    "ssh_key_file",
                    "ssh_key_passphrase",
                    "ssh_key_type",
                ),
                _KEYS,
            ),
            **dict.fromkeys(("authorization", "hidden", "login_class", "profile", "role"), _OTHER_SYSTEM),
        },
        rules=(rules.groups_are_named, rules.id_is_given),
    ),
    ModuleSpec(
        "wait_for",
        {
            "host": Param(),
            "port": Param("int"),
            "path": Param(),
            "search_regex": Param("regex"),
            "state": Param(choices=("absent", "present", "started", "stopped")),
            "timeout": Param("int"),
            "connect_timeout": Param("int"),
            "delay": Param("int"),
            "sleep": Param("int"),
            "msg": Param(),
        },
        exclusive=(("port", "path"),),
        refused={
            "exclude_hosts": "State drained is not supported: write a shell loop over ss with a deadline.",
            "active_connection_states": "State drained is not supported: write a shell loop over ss with a deadline.",
        },
        rules=(rules.what_to_wait_for,),
    ),
)

MODULES: Mapping[str, ModuleSpec] = MappingProxyType({spec.name: spec for spec in _SPECS})
PREFIXES = ("ansible.builtin.", "ansible.legacy.")


def short_name(name: str) -> str:
    """``ansible.builtin.copy`` as ``copy``; other names as they are."""
    for prefix in PREFIXES:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name
