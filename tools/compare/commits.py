"""Commits as built source trees."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_COMPILED = (".pyx", ".pxd", ".h")


@dataclass(frozen=True, slots=True)
class Tree:
    """Built sources: what Python must find first to run this commit."""

    name: str
    source: Path
    """The folder that holds the package ``levo``."""


def tree_of(root: Path, build: Path, commit: str) -> Tree:
    """Return *commit*, checked out and built below *build*; ``.`` is the working tree as it is built now.

    Raises:
        LookupError: there is no such commit.
        subprocess.CalledProcessError: it cannot be built.
    """
    if commit == ".":
        return Tree("working tree", root / "src")
    found = _git(root, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")
    if found.returncode:
        raise LookupError(f"{commit}: no such commit")
    sha = found.stdout.strip()
    folder = build / "trees" / sha
    if not folder.is_dir():
        _git(root, "worktree", "prune")
        _git(root, "worktree", "add", "--quiet", "--detach", str(folder), sha).check_returncode()
    _compile(folder, build / "compiled")
    return Tree(f"{commit} ({sha[:9]})", folder / "src")


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)


def _compile(folder: Path, kept: Path) -> None:
    """Build the compiled modules in place, or take them from a commit with the same compiled sources."""
    stamp = folder / "build" / "compiled"
    if stamp.is_file():
        return
    store = kept / _digest(folder)
    if not store.is_dir():
        print(f"compare-commits: building {folder.name[:9]} (minutes)", file=sys.stderr)
        command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
        built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if built.returncode:
            print(built.stderr, file=sys.stderr)
            built.check_returncode()
        partial = store.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        _copy_modules(folder / "src", partial)
        partial.rename(store)
    _copy_modules(store, folder / "src")
    stamp.parent.mkdir(exist_ok=True)
    stamp.touch()


def _digest(folder: Path) -> str:
    """What the compiled modules depend on."""
    sources = sorted(path for path in (folder / "src").rglob("*") if path.suffix in _COMPILED)
    digest = hashlib.sha256(sys.version.encode())
    for path in (folder / "setup.py", *sources):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _copy_modules(here: Path, there: Path) -> None:
    for path in here.rglob("*.so"):
        copied = there / path.relative_to(here)
        if copied != path:
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copied)
