"""The dashboards conform to Grafana's published schema, checked with its types by the TypeScript compiler."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.dashboards.files import DOCUMENTS

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"


def complaints(folder: Path, documents: dict[str, dict[str, Any]]) -> str:
    """Return the compiler's errors for dashboards as literals of the schema's type."""
    assert MODULES.is_dir(), "Grafana's schema is missing: `make tests/dashboards/node_modules` fetches it"
    (folder / "node_modules").symlink_to(MODULES)
    shutil.copy(HERE / "schema.ts", folder)
    for name, document in documents.items():
        text = f"import type {{ Dashboard }} from './schema';\nexport const it: Dashboard = {json.dumps(document, indent=1)};\n"
        (folder / f"{name}.ts").write_text(text)
    options = {
        "strict": True,
        "noEmit": True,
        "skipLibCheck": True,
        "module": "esnext",
        "moduleResolution": "bundler",
        "preserveSymlinks": True,
        "types": [],
    }
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "include": ["*.ts"]}))
    compiler = MODULES / "typescript" / "bin" / "tsc"
    compiled = subprocess.run(["node", str(compiler), "-p", str(folder)], capture_output=True, text=True, check=False)
    assert (compiled.returncode == 0) is (not compiled.stdout), compiled.stdout + compiled.stderr
    return compiled.stdout


def test_the_dashboards_conform_to_the_schema(tmp_path: Path) -> None:
    """Grafana ignores misspelt fields and wrong types silently."""
    assert complaints(tmp_path, DOCUMENTS) == ""


def test_a_dashboard_that_violates_the_schema_is_detected(tmp_path: Path) -> None:
    """A wrong type, a wrong enum value, an unknown field and a missing field are errors."""
    wrong = {}
    for name in ("type", "word", "unknown", "missing"):
        wrong[name] = json.loads(json.dumps(DOCUMENTS["overview"]))
        panel = next(panel for panel in wrong[name]["panels"] if panel["type"] == "timeseries")
        match name:
            case "type":
                panel["fieldConfig"]["defaults"]["unit"] = 5
            case "word":
                panel["fieldConfig"]["defaults"]["custom"]["drawStyle"] = "lines"
            case "unknown":
                panel["options"]["legned"] = {}
            case _:
                del wrong[name]["schemaVersion"]
    said = complaints(tmp_path, wrong)
    assert set(re.findall(r"(\w+)\.ts\(", said)) == set(wrong), said
