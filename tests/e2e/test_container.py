"""The image, as far as it can be proven without an engine: its recipe, its parts, and what it installs, without rights.

No image is built here. Each of the recipe's own words is checked or run instead.
"""

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import aiohttp
import yaml

from sidecar.config import read_config
from sidecar.rules import DEFAULT_JOB
from tests.e2e.processes import SECRETS, WITHOUT_RIGHTS, free_port, until
from tests.waiting import HANGS_AFTER_S

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
NOBODY = 10001


def test_the_recipe_is_clean() -> None:
    """Hadolint finds nothing in the Dockerfile."""
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert hadolint, "hadolint is missing: it is among the development requirements on Linux, x86-64"
    checked = subprocess.run([hadolint, str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, "")


def test_what_the_recipe_copies_is_there_and_is_let_through() -> None:
    """`.dockerignore` includes every file that the Dockerfile copies."""
    wanted = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in shlex.split(line)[:-1]
    ]
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert wanted
    for source in wanted:
        assert (ROOT / source).exists(), source
        assert source in let_through, source


def test_it_runs_as_a_user_without_rights_and_ends_on_sigterm() -> None:
    """The two lines that an auditor looks for."""
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert f"\nUSER {NOBODY}:{NOBODY}\n" in last
    assert "\nSTOPSIGNAL SIGTERM\n" in last


def test_what_is_composed_exists_and_is_not_published_to_everybody() -> None:
    """Ports on loopback, a root that nobody can write to, and files that are there."""
    composed = yaml.safe_load((ROOT / "compose.yaml").read_text())
    for name, service in composed["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name
        mounted = [volume.split(":")[0] for volume in service["volumes"]]
        assert all((ROOT / path).exists() for path in mounted if path.startswith("./")), name
        assert all(path in composed["volumes"] for path in mounted if not path.startswith("./")), name
    sidecar = composed["services"]["sidecar"]
    assert (sidecar["read_only"], sidecar["cap_drop"]) == (True, ["ALL"])


def test_grafana_finds_its_data_and_the_dashboards() -> None:
    """Addresses, ports, folders and intervals of three files that must fit together; no Grafana runs here."""
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    scraping = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())
    (job,) = scraping["scrape_configs"]
    (target,) = job["static_configs"]
    config = read_config(ROOT / "deploy" / "sidecar.yaml")
    assert target["targets"] == [f"sidecar:{config.listen.operator.port}"]
    assert target["labels"] == {"environment": config.environment}
    assert job["job_name"] == DEFAULT_JOB
    folder = ROOT / "deploy" / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert services["prometheus"]["ports"][0].endswith(":9090")
    assert source["jsonData"]["timeInterval"] == scraping["global"]["scrape_interval"]
    assert source["jsonData"]["prometheusVersion"] in services["prometheus"]["image"]
    (provider,) = yaml.safe_load((folder / "dashboards" / "reverb-sidecar.yml").read_text())["providers"]
    assert f"./dashboards:{provider['options']['path']}:ro" in services["grafana"]["volumes"]
    assert (provider["type"], provider["allowUiUpdates"]) == ("file", False)
    assert "./deploy/grafana/provisioning:/etc/grafana/provisioning:ro" in services["grafana"]["volumes"]
    assert (services["grafana"]["read_only"], services["grafana"]["cap_drop"]) == (True, ["ALL"])


def test_the_containers_configuration_is_good_and_writes_where_it_may() -> None:
    """Its journal lies in the only folder that its user owns."""
    config = read_config(ROOT / "deploy" / "sidecar.yaml")
    assert str(getattr(config.journal, "path", "")).startswith("/var/lib/reverb-sidecar/")
    assert "VOLUME /var/lib/reverb-sidecar\n" in DOCKERFILE
    assert f"EXPOSE {config.listen.public.port} {config.listen.operator.port}\n" in DOCKERFILE


def installed(folder: Path) -> Path:
    """Install the package as the image does, not editable, into a folder that only root may write to."""
    made = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            str(folder),
            str(ROOT),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=HANGS_AFTER_S,
    )
    assert made.returncode == 0, made.stderr
    site = folder / "site"
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(site)
    for path in (site, *site.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return site


async def test_what_the_image_installs_runs_without_rights_is_healthy_and_ends_at_once(tmp_path: Path) -> None:
    """Without a single capability, with nothing to write but its journal; and its health check distinguishes healthy and unhealthy."""
    site, data = installed(tmp_path), tmp_path / "data"
    assert (site / "sidecar" / "config" / "sidecar.yaml").is_file(), "`init` needs the sample"
    data.mkdir()
    public, operator = free_port(), free_port()
    config = tmp_path / "sidecar.yaml"
    config.write_text(
        f"environment: test\njournal: sqlite:{data}/sidecar.db\n"
        f"listen: {{public: 127.0.0.1:{public}, operator: 127.0.0.1:{operator}}}\n"
    )
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(data),
        "PYTHONPATH": f"{site}{os.pathsep}{sysconfig.get_paths()['purelib']}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SIDECAR_CONFIG": str(config),
        **SECRETS,
    }
    command = [*WITHOUT_RIGHTS, sys.executable, "-P", "-m", "sidecar", "run"]
    child = await asyncio.create_subprocess_exec(
        *command, cwd=data, env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with aiohttp.ClientSession() as session:

            async def is_ready() -> bool:
                assert child.returncode is None, (await child.stderr.read()).decode() if child.stderr else ""
                try:
                    async with session.get(f"http://127.0.0.1:{operator}/readyz") as response:
                        return response.status == 200
                except aiohttp.ClientError:
                    return False

            await until(is_ready, "it is ready")
        assert await is_healthy(operator)
        child.send_signal(signal.SIGTERM)
        async with asyncio.timeout(HANGS_AFTER_S):
            assert await child.wait() == 0
        assert not await is_healthy(operator)
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def is_healthy(port: int) -> bool:
    """Ask the image's own health check, of another port."""
    command = re.search(r"HEALTHCHECK .*\\\n\s+CMD (\[.+\])", DOCKERFILE)
    assert command is not None
    _, *arguments = json.loads(command[1])
    arguments = [argument.replace("127.0.0.1:8701", f"127.0.0.1:{port}") for argument in arguments]
    child = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    return await child.wait() == 0
