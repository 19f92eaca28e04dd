"""The shape of each command's JSON, with its version: `python -m sidecar.cli.shapes` prints the schema of all."""

from typing import Any

import msgspec

from sidecar.cli.check import Checked
from sidecar.cli.gate import CannotKnow
from sidecar.cli.init import Written
from sidecar.cli.program import SHAPE_VERSION
from sidecar.cli.results import Listed, Restored, Tested, WrittenFiles
from sidecar.console.explanation import Explanation
from sidecar.console.operator_actions import ActionDone, OperatorAction
from sidecar.console.report import Report
from sidecar.console.status import Status
from sidecar.core.release.readiness import Readiness
from sidecar.demo import Summary
from sidecar.doctor import Diagnosis, PaymentDiagnosis
from sidecar.journal.sqlite.verification import Inspection
from sidecar.metrics import Catalogue

_Diagnosis = msgspec.defstruct(
    "Diagnosis",
    [
        (field.name, str | None if field.name == "outcome" else field.type)
        for field in msgspec.structs.fields(Diagnosis)
    ],
    kw_only=True,
)
"""A `Diagnosis`; msgspec describes no union of two enums, which its outcome is."""

SHAPES: dict[str, Any] = {
    "backup": Inspection,
    "check": Checked,
    "dashboards": WrittenFiles,
    "demo": Summary,
    "doctor": _Diagnosis,
    "explain": Explanation,
    "gate": Readiness | CannotKnow,
    "init": Written,
    "journal": Restored,
    "metrics": Catalogue,
    "notifications": Listed | Tested,
    "report": Report,
    "restore": Restored,
    "status": Status,
    "test-payment": PaymentDiagnosis,
    "verify": Inspection,
    **dict.fromkeys((each.value for each in OperatorAction if each is not OperatorAction.CLEAR_OVERRIDE), ActionDone),
}
"""What each command prints with `--json`; `report` with `--format json`."""


def schema() -> dict[str, Any]:
    """Return one JSON schema for all commands: the definition `status` is what `sidecar status --json` prints."""
    kinds = list(dict.fromkeys(kind for shape in SHAPES.values() for kind in _kinds(shape)))
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    refs = dict(zip(kinds, schemas, strict=True))
    commands = {
        command: {
            "type": "object",
            "required": ["shape"],
            "properties": {"shape": {"const": f"{command}/{SHAPE_VERSION}"}},
            "anyOf": [refs[kind] for kind in _kinds(shape)],
        }
        for command, shape in SHAPES.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What sidecar commands print with --json",
        "$defs": {**commands, **components},
    }


def _kinds(shape: Any) -> tuple[Any, ...]:
    return getattr(shape, "__args__", (shape,))


if __name__ == "__main__":
    print(msgspec.json.format(msgspec.json.encode(schema(), order="sorted")).decode())  # noqa: T201 - a generator
