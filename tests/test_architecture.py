"""The rules of ARCHITECTURE.md that a machine can check: who imports whom, sizes, names, mirrored tests."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "levo"
TESTS = ROOT / "tests"
ENTRY_POINTS = {SOURCE / "__main__.py", SOURCE / "cli" / "__init__.py"}
"""Each calls one function; every test that runs a command tests it."""

SHARED = ("levo.model", "levo.errors", "levo.files", "levo.ledger", "levo.config")
HALVES = (*SHARED, "levo.wire")
"""What the sensor and the Satellite both build on."""
READS = ("levo.engine.core", "levo.engine.exchange", "levo.engine.proto")
"""What a protocol knows: neither another protocol nor the connection table."""

SATELLITE = {
    "store.userdata": ("levo.errors", "levo.satellite.query", "levo.satellite.store.filters"),
    "query": (),
    "store": (*SHARED, *(f"levo.satellite.{name}" for name in ("learn", "queue", "openapi", "query"))),
    "catalog": (
        *SHARED,
        *(f"levo.satellite.{name}" for name in ("learn", "openapi", "posture", "query", "store")),
    ),
    "posture": (*SHARED, *(f"levo.satellite.{name}" for name in ("learn", "openapi", "store"))),
    "findings": (*SHARED, *(f"levo.satellite.{name}" for name in ("posture", "query", "rfc3339", "store"))),
    "alerts": (
        *SHARED,
        *(f"levo.satellite.{name}" for name in ("catalog", "findings", "query", "rfc3339", "store")),
    ),
    "access": (*SHARED, *(f"levo.satellite.{name}" for name in ("receive", "store"))),
}
"""From what is stored to what is decided on it: none of these rooms knows pages or REST, which read them."""

# Each part, and what of ours it may import besides itself. The first entry that a module lies in decides.
ALLOWED: dict[str, tuple[str, ...]] = {
    "levo.model": (),
    "levo.errors": (),
    "levo.ledger": ("levo.model",),
    "levo.wire": ("levo.model",),
    "levo.files": (),
    "levo.config": ("levo.model", "levo.errors", "levo.files", "levo.ledger"),
    "levo.engine.core": ("levo.model",),
    "levo.engine.net": ("levo.engine.core",),
    "levo.engine.encode": ("levo.engine.core", "levo.wire"),
    "levo.engine.exchange": ("levo.engine.core", "levo.engine.encode", "levo.model"),
    "levo.engine.proto": ("levo.engine.core", "levo.engine.exchange"),
    **{f"levo.engine.{name}": READS for name in ("fastcgi", "http1", "http2", "proxy", "tls", "websocket")},
    "levo.engine.tcp": ("levo.engine.core", "levo.engine.exchange", "levo.engine.proto"),
    "levo.engine": SHARED,
    "levo.sensor.pipeline": (*HALVES, "levo.engine", "levo.sensor"),
    "levo.sensor.capture": (*SHARED, "levo.engine", "levo.tlsprobe.link"),
    "levo.sensor.sampling": (*SHARED, "levo.engine"),
    "levo.sensor.redact": (*SHARED, "levo.engine"),
    "levo.sensor.doctor": (*HALVES, "levo.engine", "levo.sensor", "levo.tlsprobe"),
    "levo.sensor.export": (*HALVES, "levo.engine"),
    "levo.sensor": (*HALVES, "levo.engine"),
    "levo.satellite.learn": HALVES,
    "levo.satellite.queue": SHARED,
    "levo.satellite.openapi": (*SHARED, "levo.satellite.learn"),
    **{f"levo.satellite.{name}": rooms for name, rooms in SATELLITE.items()},
    "levo.satellite": HALVES,
    "levo.ecs": SHARED,
    "levo.tlsprobe": ("levo.errors", "levo.files"),
    "levo.demo": ("levo.errors", "levo.files", "levo.ledger"),
    "levo.cli": ("levo",),
    "levo.__main__": ("levo.cli",),
    "levo": (),
}

CYTHON_IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+c?import\b|c?import\s+([\w., ]+))", re.MULTILINE)


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources(*suffixes: str) -> list[Path]:
    return sorted(path for suffix in suffixes for path in SOURCE.rglob(f"*{suffix}"))


def imports(path: Path) -> Iterator[str]:
    """Absolute names of the modules that *path* imports, whatever the place of the import in the file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import"
                yield from (
                    f"{node.module}.{alias.name}" if node.module == "levo" else str(node.module)
                    for alias in node.names
                )
        return
    for package, names in CYTHON_IMPORT.findall(text):
        yield from [package] if package else [name.split()[0] for name in names.split(",") if name.split()]


def within(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")


def is_empty(path: Path) -> bool:
    """Only docstrings, re-exports and constants: no behavior that a test could make a claim about."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return all(
        isinstance(node, ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in body
    )


# Who writes the fields of a connection that say what is known of it. ``clear`` is not looked at.
WRITERS = {
    "layers": "levo.engine.proto.layers",
    "top": "levo.engine.proto.layers",
    "client": "levo.engine.proto.layers",
    "due": "levo.engine.proto.layers",
    "mid_stream": "levo.engine.proto.layers",
    "streaming_ns": "levo.engine.proto.layers",
    "tainted": "levo.engine.exchange.pairing",
    "pipelines": "levo.engine.exchange.pairing",
    "slides": "levo.engine.exchange.pairing",
    "batches": "levo.engine.exchange.pairing",
    "epoch_size": "levo.engine.exchange.pairing",
    "epoch_ack": "levo.engine.exchange.pairing",
    "paired_end": "levo.engine.exchange.pairing",
    "pending_first": "levo.engine.exchange.pairing",
    "pending_last": "levo.engine.exchange.pairing",
    "pending_count": "levo.engine.exchange.pairing",
    "encrypted": "levo.engine.tls.records",
    "found": "levo.engine.http1.parser",
    "aliases": "levo.engine.tcp.connections",
    "heading": "levo.engine.exchange.pairing",
    "closed": "levo.engine.tcp.connections",
    "waiting": "levo.engine.tcp.connections",
    "reset_ns": "levo.engine.tcp.connections",
    "packets": "levo.engine.tcp.connections",
    "last_ns": "levo.engine.tcp.connections",
    "placed_ns": "levo.engine.tcp.connections",
}
WRITE = re.compile(r"\bconn\.(\w+)(?:\[[^\]]*\])?(?:\.\w+)*\s*(?:[-+|&^]|<<|>>)?=(?!=)")


def fields_written(path: Path) -> set[str]:
    """Fields of a ``conn`` that *path* assigns to, each target of a chain of assignments included."""
    code = "\n".join(line.partition("#")[0] for line in path.read_text(encoding="utf-8").splitlines())
    return set(WRITE.findall(code))


def test_the_checks_look_at_something() -> None:
    assert len(sources(".py")) > 20
    assert len(sources(".pyx")) > 3
    assert "levo.engine.core.types" in set(imports(SOURCE / "engine" / "core" / "source.pxd"))


@pytest.mark.parametrize("path", sources(".py", ".pyx", ".pxd"), ids=module_name)
def test_imports_go_one_way(path: Path) -> None:
    """The sensor and the Satellite never meet; a stage knows no other stage; shared modules know nobody."""
    name = module_name(path)
    part = next(part for part in ALLOWED if within(name, part))

    ours = [wanted for wanted in imports(path) if within(wanted, "levo") and wanted != "levo.__version__"]
    wrong = [wanted for wanted in ours if not any(within(wanted, ok) for ok in (part, *ALLOWED[part]))]

    assert not wrong, f"{name} may import only {(part, *ALLOWED[part])}"


@pytest.mark.parametrize(
    ("package", "place"),
    [
        ("sqlite3", "levo.satellite.store"),
        ("jinja2", "levo.satellite.web"),
        ("boto3", "levo.ecs"),
        ("botocore", "levo.ecs"),
        ("click", "levo.cli"),
    ],
)
def test_some_packages_have_one_place(package: str, place: str) -> None:
    users = {
        module_name(path) for path in sources(".py", ".pyx") if any(within(i, package) for i in imports(path))
    }

    assert not {user for user in users if not within(user, place)}


@pytest.mark.parametrize("package", ["asyncio", "logging", "socket", "threading", "time"])
def test_the_engine_has_no_io_and_no_clock(package: str) -> None:
    engine = [path for path in sources(".py", ".pyx", ".pxd") if within(module_name(path), "levo.engine")]

    assert not [path.name for path in engine if any(within(name, package) for name in imports(path))]


TIME_OF_DAY = {
    "levo.sensor.control": "reports",
    "levo.sensor.doctor.reach": "what is compared with the Satellite's clock",
    "levo.sensor.doctor.watch": "frames",
    "levo.sensor.identity": "the start of a run",
    "levo.sensor.log": "lines of the log",
    "levo.sensor.pipeline": "frames",
}
"""The modules that read a clock which may be set, and what they write its time on. Nothing is due by it."""


def test_the_sensor_waits_by_a_clock_that_nobody_sets() -> None:
    reads = re.compile(
        r"\btime\.time(_ns)?\b|\bfrom time import .*\btime|CLOCK_REALTIME\b|\bdatetime\.(now|utcnow|today)\b"
    )
    parts = ("levo.sensor", "levo.engine", "levo.tlsprobe", "levo.ecs", "levo.wire")
    reading = [
        module_name(path)
        for path in sources(".py", ".pyx", ".pxd", ".h")
        if any(within(module_name(path), part) for part in parts)
        for _ in reads.finditer(path.read_text())
    ]

    assert sorted(reading) == sorted(TIME_OF_DAY), "one place in each: where the clock is handed in"


def test_names_say_what_a_module_is_about() -> None:
    vague = {"utils", "util", "common", "helpers", "helper", "manager", "misc"}

    assert not [path for path in SOURCE.rglob("*") if path.stem.strip("_") in vague]


def test_every_data_file_is_packaged() -> None:
    """What a module reads at run time must be in the wheel, the Debian package and the image."""
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    packaged = {
        path
        for package, globs in patterns.items()
        if package != "*"
        for each in globs
        for path in SOURCE.parent.joinpath(*package.split(".")).glob(each.replace("**", "**/*"))
    }
    data = [path for suffix in (".json", ".txt", ".html", ".css", ".js", ".svg") for path in sources(suffix)]

    assert data and not [str(path) for path in data if path not in packaged]


def test_every_source_file_has_a_test_file() -> None:
    """``tests/`` mirrors ``src/levo/``: engine/net/link.pyx has tests/engine/net/test_link.py."""
    missing = []
    for path in sources(".py", ".pyx"):
        if path in ENTRY_POINTS or (path.suffix == ".py" and is_empty(path)):
            continue
        folder = path.parent.relative_to(SOURCE)
        name = path.parent.name if path.name == "__init__.py" else path.stem
        folder = folder.parent if path.name == "__init__.py" else folder
        if not (TESTS / folder / f"test_{name.strip('_')}.py").exists():
            missing.append(str(path.relative_to(ROOT)))

    assert not missing, "\n".join(missing)


def test_each_flag_of_a_connection_has_one_writer() -> None:
    """Whoever wants to know why a connection is tainted reads one module."""
    wrong = [
        f"{module_name(path)} writes {name}; only {WRITERS[name]} may"
        for path in sources(".pyx", ".pxd")
        for name in sorted(fields_written(path) & set(WRITERS))
        if module_name(path) != WRITERS[name]
    ]

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", WRITERS)
def test_each_writer_writes(name: str) -> None:
    package = SOURCE.joinpath(*WRITERS[name].split(".")[1:])

    assert any(
        name in fields_written(package.with_suffix(suffix))
        for suffix in (".pyx", ".pxd")
        if package.with_suffix(suffix).exists()
    )


def test_the_engine_has_no_import_circle() -> None:
    wanted = {
        module_name(path): {name for name in imports(path) if within(name, "levo.engine")}
        - {module_name(path)}
        for path in sources(".pyx")
        if within(module_name(path), "levo.engine")
    }
    for path in sources(".pxd"):
        if within(name := module_name(path), "levo.engine"):
            wanted.setdefault(name, set()).update(set(imports(path)) - {name})
    while free := {name for name, others in wanted.items() if not others & set(wanted)}:
        wanted = {name: others for name, others in wanted.items() if name not in free}

    assert not wanted, f"import each other: {sorted(wanted)}"
