# SPDX-License-Identifier: Apache-2.0
"""`ansible.builtin.apt`: Debian packages. What is already as wanted costs a look into dpkg's status file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from remote_agent.contract.lean import dataclass
from remote_agent.runner.apt_get import apt_get
from remote_agent.runner.args import choice, expanded, flag, number, optional_flag, text, texts
from remote_agent.runner.context import Context, ModuleFailure, ModuleResult, last_line, tail
from remote_agent.runner.dpkg import PackageRecords, Spec, parse_spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STATES = ("present", "installed", "latest", "absent", "removed")
LISTS = "var/lib/apt/lists"
STAMP = "var/lib/apt/periodic/update-success-stamp"
_SIMULATED = re.compile(r"^(Inst|Remv|Purg) (\S+)(?: \[([^]]*)\])?(?: \((\S+))?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Wanted:
    specs: list[Spec]
    state: str
    options: list[str]
    purge: bool
    autoremove: bool
    lock_timeout: int


@dataclass(frozen=True, slots=True)
class _Deb:
    """A package's file on the host, and what it says of itself."""

    path: str
    name: str
    version: str
    arch: str

    def installed(self, records: PackageRecords) -> str | None:
        """The version that is installed, None where none is."""
        found = [p.version for p in records.named(self.name) if p.state == "installed" and self._fits(p.arch)]
        return found[0] if found else None

    def _fits(self, arch: str) -> bool:
        return "all" in (arch, self.arch) or arch == self.arch


@dataclass(frozen=True, slots=True)
class _Cache:
    updated: bool
    time: int

    def to_result(self) -> dict[str, Any]:
        return {"cache_updated": self.updated, "cache_update_time": self.time}


def run(args: Mapping[str, Any], context: Context) -> ModuleResult:
    wanted = _read(args)
    cache = _update(args, context, wanted.lock_timeout)
    if files := texts(args, "deb"):
        return _install_files([expanded(file) for file in files], context, wanted)
    if not wanted.specs and not wanted.autoremove:
        return ModuleResult(cache.updated, cache.to_result())
    records = PackageRecords(context.root)
    if not wanted.specs:
        result = _execute(context, wanted, ["autoremove"], records, simulate=True)
    elif wanted.state == "absent":
        result = _remove(context, wanted, records)
    else:
        result = _install(context, wanted, records)
    return ModuleResult(result.changed, {**result.result, **cache.to_result()}, diff=result.diff)


def _read(args: Mapping[str, Any]) -> _Wanted:
    specs = []
    for name in texts(args, "name", "package", "pkg"):
        if (spec := parse_spec(name)) is None:
            raise ModuleFailure(
                f"{name!r} is no package's name (name, name:arch, name=version); patterns are not supported."
            )
        specs.append(spec)
    state = choice(args, "state", STATES, "present") or "present"
    options = []
    recommends = optional_flag(args, "install_recommends")
    if recommends is not None:
        options.append(f"-oAPT::Install-Recommends={'yes' if recommends else 'no'}")
    if release := text(args, "default_release"):
        options.append(f"-t={release}")
    if flag(args, "allow_downgrade") or flag(args, "allow_downgrades"):
        options.append("--allow-downgrades")
    state = {"installed": "present", "removed": "absent"}.get(state, state)
    return _Wanted(
        specs, state, options, flag(args, "purge"), flag(args, "autoremove"), number(args, "lock_timeout", 60)
    )


def _install(context: Context, wanted: _Wanted, records: PackageRecords) -> ModuleResult:
    missing = [spec for spec in wanted.specs if not _present(context, records, spec)]
    todo = wanted.specs if wanted.state == "latest" else missing
    if not todo:
        _mark_manual(context, wanted, records)
        return ModuleResult(False)
    words = [f"{spec.name}:{spec.arch}" if spec.arch else spec.name for spec in todo]
    words = [
        f"{word}={spec.version}" if spec.how == "=" else word for word, spec in zip(words, todo, strict=True)
    ]
    remove = ["--auto-remove"] if wanted.autoremove else []
    result = _execute(
        context,
        wanted,
        ["install", *remove, *wanted.options, *words],
        records,
        simulate=not missing or context.check,
    )
    if not context.check:
        _mark_manual(context, wanted, records)
        _verify(context, wanted)
    return result


def _install_files(files: list[str], context: Context, wanted: _Wanted) -> ModuleResult:
    """Packages' files on the host, by one apt-get, which gets what they depend on. What is installed in that version is passed over."""
    absent = [file for file in files if not os.path.isfile(file)]
    if absent and context.check:  # a step before this one would have brought it
        return ModuleResult(True, {"stdout": "", "stderr": ""}, f"{absent[0]} does not exist yet.")
    records = PackageRecords(context.root)
    todo = [deb for deb in (_deb(file, context) for file in files) if _differs(deb, context, wanted, records)]
    if not todo:
        return ModuleResult(False, {"stdout": "", "stderr": ""})
    # What a path has no slash in would be the name of a package.
    words = ["install", *wanted.options, *(os.path.abspath(deb.path) for deb in todo)]
    result = _execute(context, wanted, words, records, simulate=False)
    if not context.check:
        now = PackageRecords(context.root)
        if still := [deb.name for deb in todo if deb.installed(now) != deb.version]:
            raise ModuleFailure(
                f"apt-get ended well, but dpkg does not have {', '.join(still)} in the version of its .deb."
            )
    return ModuleResult(True, {"stdout": "", "stderr": "", **result.result}, diff=result.diff)


def _deb(file: str, context: Context) -> _Deb:
    if not os.path.isfile(file):
        raise ModuleFailure(f"The package's file {file} does not exist on this host.")
    done = context.run_command(["dpkg-deb", "--field", file, "Package", "Version", "Architecture"])
    fields = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    try:
        return _Deb(file, fields["Package"], fields["Version"], fields["Architecture"])
    except KeyError as error:
        said = {"rc": done.rc, "stderr": tail(done.stderr)}
        raise ModuleFailure(f"{file} is no Debian package: {last_line(done.stderr)}", said) from error


def _differs(deb: _Deb, context: Context, wanted: _Wanted, records: PackageRecords) -> bool:
    """Is another version installed, or none? Raises ModuleFailure for a later one, as Ansible does."""
    found = deb.installed(records)
    if found is None or found == deb.version:
        return found is None
    newer = context.run_command(["dpkg", "--compare-versions", found, "gt", deb.version]).rc == 0
    if newer and "--allow-downgrades" not in wanted.options:
        raise ModuleFailure(
            f"{deb.name} {found} is installed, which is later than {deb.version}, of {deb.path};"
            " allow_downgrade: true takes the earlier one."
        )
    return True


def _remove(context: Context, wanted: _Wanted, records: PackageRecords) -> ModuleResult:
    states = {
        "installed",
        "half-configured",
        "half-installed",
        "unpacked",
        "triggers-pending",
        "triggers-awaited",
    }
    states |= {"config-files"} if wanted.purge else set()
    there = [
        spec
        for spec in wanted.specs
        if any(p.state in states and spec.matches(p) for p in records.named(spec.name))
    ]
    if not there:
        return ModuleResult(False)
    options = (["--purge"] if wanted.purge else []) + (["--auto-remove"] if wanted.autoremove else [])
    names = [f"{spec.name}:{spec.arch}" if spec.arch else spec.name for spec in there]
    return _execute(context, wanted, ["remove", *options, *names], records, simulate=False)


def _execute(
    context: Context, wanted: _Wanted, words: list[str], records: PackageRecords, simulate: bool
) -> ModuleResult:
    """Do it, or in check mode say what it would do. ``simulate``: only apt knows whether there is anything to do."""
    predicted: str | None = None
    if words == ["autoremove"] and wanted.purge:
        words = ["autoremove", "--purge"]
    if simulate or (context.check and context.diff):
        try:
            predicted = _simulated(apt_get(context, ["--simulate", *words], wanted.lock_timeout).stdout)
        except ModuleFailure:
            if not (context.check and _sources_may_change(context)):
                raise
            return ModuleResult(True)
    if simulate and not predicted:
        return ModuleResult(False)
    if context.check:
        return ModuleResult(True, diff=predicted if context.diff else None)
    context.progress(f"apt-get {' '.join(word for word in words if not word.startswith('-'))}")
    done = apt_get(context, words, wanted.lock_timeout)
    diff = (
        _package_diff(records.installed(), PackageRecords(context.root).installed()) if context.diff else None
    )
    return ModuleResult(True, {"stdout": done.stdout, "stderr": done.stderr}, diff=diff)


def _sources_may_change(context: Context) -> bool:
    """In check mode: would apt know more packages by now than it does?"""
    return not _cache_time(context) or (context.foresight is not None and context.foresight.sources_changed)


def _present(context: Context, records: PackageRecords, spec: Spec) -> bool:
    installed = [
        package
        for package in records.named(spec.name)
        if package.state == "installed" and spec.matches(package)
    ]
    if not installed:
        return spec.how is None and not records.named(spec.name) and records.provider(spec.name) is not None
    if spec.how != ">=":
        return True
    words = ["dpkg", "--compare-versions", installed[0].version, "ge", spec.version or ""]
    return context.run_command(words).rc == 0


def _verify(context: Context, wanted: _Wanted) -> None:
    records = PackageRecords(context.root)
    if still := [spec.text for spec in wanted.specs if not _present(context, records, spec)]:
        raise ModuleFailure(
            f"apt-get ended well, but dpkg does not have {', '.join(still)}: is there such a version?"
        )


def _mark_manual(context: Context, wanted: _Wanted, records: PackageRecords) -> None:
    """What was named is to stay when its reverse dependencies go. Ansible does not count that as a change either."""
    automatic = [] if context.check else records.automatic({spec.name for spec in wanted.specs})
    if automatic:
        done = context.run_command(["apt-mark", "manual", *automatic])
        if done.rc != 0:
            raise ModuleFailure(
                f"apt-mark manual {' '.join(automatic)} failed.", {"rc": done.rc, "stderr": tail(done.stderr)}
            )


def _update(args: Mapping[str, Any], context: Context, lock_timeout: int) -> _Cache:
    """The package lists, renewed if asked for and older than ``cache_valid_time`` seconds."""
    valid, before = number(args, "cache_valid_time", 0), _cache_time(context)
    if (
        not (optional_flag(args, "update_cache") or flag(args, "update-cache") or valid)
        or before + valid >= context.now()
    ):
        return _Cache(False, int(before))
    if context.check:
        return _Cache(True, int(before))
    context.progress("apt-get update")
    apt_get(context, ["-oAPT::Update::Error-Mode=any", "-oAcquire::Retries=3", "update"], lock_timeout)
    after = _cache_time(context)
    # where nothing was new the folder's time does not move, and the next run would ask the mirror again
    os.utime(context.root / LISTS, (context.now(), context.now()))
    return _Cache(after != before, int(context.now()))


def _cache_time(context: Context) -> float:
    """When the lists were renewed, Unix time; 0 where there are none at all."""
    lists, stamp = context.root / LISTS, context.root / STAMP
    if not any(lists.glob("*Release")):
        return 0.0
    times = [path.stat().st_mtime for path in (lists, stamp) if path.exists()]
    return max(times)


def _simulated(stdout: str) -> str:
    """What `apt-get --simulate` would do, one line a change; empty where it would do nothing."""
    lines = []
    for verb, name, old, new in _SIMULATED.findall(stdout):
        lines += [f"-{name} {old}\n"] if old else []
        lines += [f"+{name} {new}\n"] if verb == "Inst" else []
    return "".join(lines)


def _package_diff(before: Mapping[str, str], after: Mapping[str, str]) -> str | None:
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    lines = []
    for name in names:
        lines += [f"-{name} {before[name]}\n"] if name in before else []
        lines += [f"+{name} {after[name]}\n"] if name in after else []
    return "".join(lines) or None
