"""Builds the compiled modules: every .pyx below src/levo. All other metadata is in pyproject.toml.

LEVO_SANITIZE=1 builds them with AddressSanitizer and UndefinedBehaviorSanitizer, through C files of their
own; ``fuzz/build.py`` adds what coverage-guided fuzzing needs.
LEVO_ONLY=levo.engine.net.frame,... builds only the named modules.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

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


JOBS = os.cpu_count() or 1

setup(
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
