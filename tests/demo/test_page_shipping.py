"""The package ships the pages and the browser's client, with each way to install it."""

import subprocess
import sys
import zipfile
from pathlib import Path

from tests.waiting import HANGS_AFTER_S

ROOT = Path(__file__).parents[2]
CLIENT = "sidecar/demo/page/payment-refresh.js"


def _built(folder: Path, how: str) -> zipfile.ZipFile:
    code = f"import sys, hatchling.build as backend; backend.{how}(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", code, str(folder)], cwd=ROOT, check=True, capture_output=True, timeout=HANGS_AFTER_S
    )
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_a_wheel_has_the_pages_and_the_client(tmp_path: Path) -> None:
    """A wheel has the client of the repository and each file of the pages."""
    with _built(tmp_path, "build_wheel") as wheel:
        assert wheel.read(CLIENT) == (ROOT / "clients/browser/payment-refresh.js").read_bytes()
        for path in (ROOT / "sidecar/demo/page").glob("*.*"):
            assert wheel.read(f"sidecar/demo/page/{path.name}") == path.read_bytes()
        assert not [name for name in wheel.namelist() if name.startswith(("clients/", "tests/"))]


def test_an_editable_install_has_no_copy(tmp_path: Path) -> None:
    """It points to the repository; a copy of the client could become stale."""
    with _built(tmp_path, "build_editable") as wheel:
        assert [name for name in wheel.namelist() if ".dist-info/" not in name] == ["_reverb_sidecar.pth"]
        assert wheel.read("_reverb_sidecar.pth").decode().strip() == str(ROOT)


def test_the_image_is_built_with_the_client() -> None:
    """`.dockerignore` includes the client, and the Dockerfile copies it."""
    path = "clients/browser/payment-refresh.js"
    assert f"!{path}" in (ROOT / ".dockerignore").read_text().splitlines()
    assert f"COPY {path} {path}\n" in (ROOT / "Dockerfile").read_text()
