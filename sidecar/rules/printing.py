"""The rules as YAML: a rule file of Prometheus, or a `PrometheusRule` of the operator."""

import enum
from typing import Any

import yaml

from sidecar.rules.alerts import Alert, alerts
from sidecar.rules.recordings import Recording, recordings
from sidecar.rules.terms import Terms

_HEAD = "# Printed by `sidecar rules`, for environment {environment}. Change the configuration, and print it anew.\n"


class Format(enum.StrEnum):
    """Who reads the rules."""

    PROMETHEUS = "prometheus"
    """A file named by `rule_files`."""
    OPERATOR = "operator"
    """`kubectl apply`, where Prometheus' operator runs."""


class _Dumper(yaml.SafeDumper):
    """Writes what has several lines as a block, so that people can read it."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, data: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


_Dumper.add_representer(str, _text)


def printed(terms: Terms, form: Format = Format.PROMETHEUS) -> str:
    """Return the whole file."""
    document = groups(terms)
    if form is Format.OPERATOR:
        document = {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {"name": "reverb-sidecar", "labels": {"app.kubernetes.io/name": "reverb-sidecar"}},
            "spec": document,
        }
    body = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
    return _HEAD.format(environment=terms.environment) + body


def groups(terms: Terms) -> dict[str, Any]:
    """Return the rules as Prometheus' document has them."""
    return {
        "groups": [
            {"name": "reverb-sidecar.recorded", "rules": [_recording(rule) for rule in recordings(terms)]},
            {"name": "reverb-sidecar.watched", "rules": [_alert(rule, terms) for rule in alerts(terms)]},
        ]
    }


def _recording(rule: Recording) -> dict[str, Any]:
    return {"record": rule.record, "expr": rule.expr}


def _alert(rule: Alert, terms: Terms) -> dict[str, Any]:
    return {
        "alert": rule.name,
        "expr": rule.expr,
        **({"for": rule.lasting} if rule.lasting else {}),
        "labels": {"severity": rule.severity.value, "environment": terms.environment, **rule.labels},
        "annotations": {
            "summary": rule.summary,
            "description": rule.description,
            "runbook_url": f"{terms.runbooks}{rule.name}.md",
        },
    }
