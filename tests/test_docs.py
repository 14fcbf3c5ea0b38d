"""What the documents claim, where a machine can compare it with the code."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def distribution(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return found[0]


def test_every_dependency_has_its_reason() -> None:
    project = PROJECT["project"]
    extras = project["optional-dependencies"].values()
    required = {
        distribution(line)
        for line in [*project["dependencies"], *(line for extra in extras for line in extra)]
    }
    page = (ROOT / "docs" / "decisions" / "dependencies.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| ([\w.-]+) \| \S", page, re.MULTILINE)) - {"package", "---"}

    assert explained == required


# Import names that differ from the distribution's name.
DISTRIBUTIONS = {
    "botocore": "boto3",
    "cfnlint": "cfn-lint",
    "hcl2": "python-hcl2",
    "google": "protobuf",
    "grpc": "grpcio",
    "openapi_spec_validator": "openapi-spec-validator",
    "openapi_schema_validator": "openapi-schema-validator",
    "opentelemetry": "opentelemetry-proto",
    "re2": "google-re2",
    "stdnum": "python-stdnum",
    "xdist": "pytest-xdist",
    "yaml": "pyyaml",
}


def third_party(folder: str) -> set[str]:
    """Distributions that the Python files under *folder* import."""
    names = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(str(node.module).partition(".")[0])
    ours = {"levo", "tests", "tools", "bench", "fuzz", "Cython", "setuptools"}
    return {DISTRIBUTIONS.get(name, name) for name in names - ours - sys.stdlib_module_names}


def test_what_is_imported_is_declared() -> None:
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    declared = {distribution(line) for line in project["dependencies"]}
    product = declared | {distribution(line) for name in ("satellite", "aws") for line in extras[name]}

    for folder in ("sensor", "config", "wire"):
        assert third_party(f"src/levo/{folder}") <= declared, folder
    assert third_party("src") <= product
    assert third_party("tests") | third_party("tools") <= product | {
        distribution(line) for line in extras["dev"]
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", text)

    assert not [target for target in targets if not (page.parent / target).exists()]


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md"))

    assert numbers == list(range(1, len(numbers) + 1))


def test_the_readme_names_only_make_targets_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {
        name for page in PAGES for name in re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8"))
    }

    assert named and named <= targets


def test_the_readme_has_every_flag_of_the_sensor() -> None:
    from levo.cli.apidump import command

    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Flags")[2].partition("\n## ")[0]
    told = {
        flag
        for line in section.splitlines()
        if line.startswith("| `--")
        for flag in re.findall(r"--[a-z-]+", line.split("|")[1])
    }
    known = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    assert told == known - {"--help"}


def test_contributing_explains_every_target() -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

    assert {f"make {name}" for name in targets if name != "help"} == set(
        re.findall(r"`(make [a-z-]+)`", page)
    )


def test_the_page_on_tests_explains_every_marker() -> None:
    markers = {line.partition(":")[0] for line in PROJECT["tool"]["pytest"]["ini_options"]["markers"]}
    page = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")

    assert markers <= set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))


def test_make_check_leaves_out_every_marker() -> None:
    chosen = re.search(
        r"^QUICK := not \((.*)\)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    markers = {line.partition(":")[0] for line in PROJECT["tool"]["pytest"]["ini_options"]["markers"]}

    assert chosen and set(chosen[1].split(" or ")) == markers
