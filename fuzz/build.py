"""Builds the compiled core for libFuzzer into ``build/fuzz``: instrumented modules, the harness, one program.

build/fuzz/lib       the package, its modules with AddressSanitizer, UndefinedBehaviorSanitizer and coverage
build/fuzz/bin/NAME  one link a target to the program that embeds Python and runs the target of that name
build/fuzz/plain     the harness for the modules as they are installed, for a short run in the tests
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "fuzz"
LIB = BUILD / "lib"
BIN = BUILD / "bin"
PLAIN = BUILD / "plain"
STAMP = "built"
TARGETS = (
    "frame",
    "tcp",
    "networks",
    "hops",
    "clocks",
    "cut",
    "http1",
    "http2",
    "proxy",
    "fastcgi",
    "hpack",
    "websocket",
    "tls",
    "sealed",
    "coding",
    "encode",
    "redact",
    "secrets",
    "capture",
    "spans",
    "observe",
    "stored",
)
"""One name a target of ``harness.pyx``."""

CHECKS = ["-fsanitize=address,undefined", "-fno-sanitize=pointer-overflow", "-fno-sanitize-recover=undefined"]
COVERAGE = "-fsanitize=fuzzer-no-link"
NATIVE = {".pyx", ".pxd", ".h", ".so", ".c", ".pyi", ".pyc"}
CAPTURE = ("file", "window", "bpf")


def modules() -> list[str]:
    """The compiled modules that the targets need: engine, codec, capture file reader, learning."""
    source = ROOT / "src" / "levo"
    whole = [
        ".".join(("levo", *path.relative_to(source).with_suffix("").parts))
        for folder in ("engine", "wire", "satellite/learn")
        for path in sorted((source / folder).rglob("*.pyx"))
    ]
    return [*whole, *(f"levo.sensor.capture.{name}" for name in CAPTURE)]


def build() -> None:
    """Bring ``build/fuzz`` up to date.

    Raises:
        SystemExit: clang is missing, or a step fails (its output went to stderr).
    """
    done = subprocess.run([ROOT / "tools" / "system-packages", "fuzz"], cwd=ROOT, check=False)
    if done.returncode or shutil.which("clang") is None:
        raise SystemExit("fuzz: no clang")
    BIN.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {
        "LEVO_SANITIZE": "1",
        "LEVO_ONLY": ",".join(modules()),
        "CC": "clang",
        "LDSHARED": "clang -shared",
        "CFLAGS": f"{COVERAGE} -fno-sanitize-recover=undefined",
    }
    setup = ["setup.py", "-q", "build_ext", "--build-lib", str(LIB), "--build-temp", str(BUILD / "temp")]
    _run([sys.executable, *setup], environment)
    _copy_python()
    _build_harness(LIB, ["clang", *CHECKS, COVERAGE, "-O1", "-g", "-fno-omit-frame-pointer"])
    _build_program()
    for name in TARGETS:
        (BIN / name).unlink(missing_ok=True)
        (BIN / name).symlink_to("../levo-fuzz")
    (BUILD / STAMP).touch()


def _copy_python() -> None:
    """The package's Python files and data, beside the instrumented modules."""
    source = ROOT / "src" / "levo"
    for path in source.rglob("*"):
        if not path.is_file() or path.suffix in NATIVE:
            continue
        copy = LIB / "levo" / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)


def build_plain() -> None:
    """Bring the harness for the ordinary modules up to date: ``levo_fuzz_harness`` in ``PLAIN``.

    It checks the same invariants without the sanitizers, so it needs no clang and a few seconds only.

    Raises:
        SystemExit: a step fails.
    """
    PLAIN.mkdir(parents=True, exist_ok=True)
    _build_harness(PLAIN, [os.environ.get("CC", "cc"), "-O0"])


def is_built() -> bool:
    """Whether ``build`` has been here since a compiled module last changed."""
    compiled = (ROOT / "src" / "levo").rglob("*.p[yx][xd]"), (ROOT / "src" / "levo").rglob("*.h")
    sources = [*(path for kind in compiled for path in kind), ROOT / "fuzz" / "harness.pyx"]
    return _newer(BUILD / STAMP, *sources)


def _build_harness(folder: Path, compiler: list[str]) -> None:
    source, made = ROOT / "fuzz" / "harness.pyx", folder / "levo_fuzz_harness.c"
    library = folder / f"levo_fuzz_harness{sysconfig.get_config_var('EXT_SUFFIX')}"
    if _newer(library, source, *(ROOT / "src").rglob("*.pxd")):
        return
    directives = "boundscheck=False,wraparound=False,cdivision=True,initializedcheck=False"
    cython = [sys.executable, "-m", "cython", "-3", "-I", "src", "-X", directives]
    _run([*cython, "--module-name", "levo_fuzz_harness", "-o", str(made), str(source)])
    flags = ["-fwrapv", "-fPIC", "-shared", "-w", *_includes(), str(made), "-o", str(library)]
    _run([*compiler, *flags])


def _build_program() -> None:
    source, program = ROOT / "fuzz" / "main.c", BUILD / "levo-fuzz"
    if _newer(program, source, Path(__file__)):  # which says where the modules are
        return
    places = [f"-DLEVO_FUZZ_PYTHON={_quoted(sys.executable)}", f"-DLEVO_FUZZ_LIB={_quoted(f'{LIB}:{ROOT}')}"]
    folder = str(sysconfig.get_config_var("LIBDIR"))
    version = str(sysconfig.get_config_var("LDVERSION"))
    link = [
        f"-L{folder}",
        f"-Wl,-rpath,{folder}",
        f"-lpython{version}",
        "-Wl,--export-dynamic",
        "-ldl",
        "-lm",
    ]
    flags = [*CHECKS, "-fsanitize=fuzzer", "-O1", "-g", *places]
    _run(["clang", *flags, *_includes(), str(source), "-o", str(program), *link])


def _includes() -> list[str]:
    return [f"-I{ROOT / 'src'}", *(f"-I{sysconfig.get_path(name)}" for name in ("include", "platinclude"))]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _newer(made: Path, *sources: Path) -> bool:
    return made.exists() and all(made.stat().st_mtime >= source.stat().st_mtime for source in sources)


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    if done.returncode:
        raise SystemExit(f"fuzz: {' '.join(command[:3])} ... failed with status {done.returncode}")


if __name__ == "__main__":
    build()
