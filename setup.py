"""Builds the compiled modules: every .pyx below src/levo. All other metadata is in pyproject.toml.

LEVO_SANITIZE=1 builds them with AddressSanitizer and UndefinedBehaviorSanitizer, through C files of their
own; ``fuzz/build.py`` adds what coverage-guided fuzzing needs.
LEVO_ONLY=levo.engine.net.frame,... builds only the named modules.
"""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_py import build_py

SANITIZE = os.environ.get("LEVO_SANITIZE") == "1"
# Adding nothing to a null pointer is left alone: no compiler makes anything of it, and C2y allows it.
CHECKS = ["-fsanitize=address,undefined", "-fno-sanitize=pointer-overflow"] if SANITIZE else []
COMPILE = ["-O1", "-g", "-fno-omit-frame-pointer", "-DLEVO_TRAP", *CHECKS] if SANITIZE else ["-O3", "-g0"]

HEADERS = sorted(str(path) for path in Path("src/levo").rglob("*.h"))
ONLY = {name for name in os.environ.get("LEVO_ONLY", "").split(",") if name}
LIBRARIES = {
    "levo.sensor.capture.live": ["pcap"],
    "levo.engine.exchange.coding": ["z"],
    "levo.engine.tls.keys": ["crypto"],
    "levo.sensor.export.sealing": ["crypto"],
}


def extensions() -> list[Extension]:
    found = []
    for path in sorted(Path("src/levo").rglob("*.pyx")):
        name = ".".join(path.with_suffix("").parts[1:])
        if ONLY and name not in ONLY:
            continue
        found.append(
            Extension(
                name,
                [str(path)],
                libraries=LIBRARIES.get(name, []),
                include_dirs=["src"],
                depends=HEADERS,
                extra_compile_args=[*COMPILE, "-Wno-unused-function"],
                extra_link_args=CHECKS,
            )
        )
    return found


PROBE = Path("src/levo/tlsprobe/secrets.bpf.c")


def compile_probe() -> None:
    """The eBPF program of the TLS probe, where clang and libbpf's headers are there; else it is left out.

    Raises:
        SystemExit: it does not compile, or its source is not there.
    """
    made = PROBE.with_suffix(".o")
    if not PROBE.exists():
        sys.exit(f"setup: {PROBE} is missing: this is not the whole source")
    inputs = (PROBE, *PROBE.parent.glob("*.h"))
    if made.exists() and made.stat().st_mtime > max(each.stat().st_mtime for each in inputs):
        return
    made.unlink(missing_ok=True)
    clang = shutil.which(os.environ.get("LEVO_CLANG", "clang"))
    if clang is None or not Path("/usr/include/bpf/bpf_helpers.h").exists():
        print("setup: no clang or no libbpf-dev: levo tls probe is left out")
        return
    machine = os.environ.get("LEVO_ARCHITECTURE") or platform.machine()
    target = "arm64" if machine in ("arm64", "aarch64") else "x86"
    # linux/types.h needs a header of this machine, whatever is compiled for.
    headers = f"-I/usr/include/{sysconfig.get_config_var('MULTIARCH')}"
    # The folder's name is left out of it, so that it is the same octets wherever it is built.
    command = [clang, "-O2", "-g", "-fdebug-compilation-dir=.", "-Wall", "-Wextra", "-Werror"]
    command += ["-target", "bpf", f"-D__TARGET_ARCH_{target}"]
    if subprocess.run([*command, headers, "-c", str(PROBE), "-o", str(made)]).returncode != 0:
        sys.exit(f"setup: {clang} does not compile {PROBE}")


class BuildPython(build_py):
    """Python files and data, with the program."""

    def run(self) -> None:
        compile_probe()
        super().run()


JOBS = os.cpu_count() or 1

setup(
    cmdclass={"build_py": BuildPython},
    options={"build_ext": {"parallel": JOBS}},
    ext_modules=cythonize(
        extensions(),
        nthreads=JOBS,
        include_path=["src"],
        build_dir="build/fuzz/cython" if SANITIZE else "build/cython",
        language_level=3,
        compiler_directives={
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
        },
    ),
)
