"""Configuration files for tests."""

from pathlib import Path

from sidecar.config import Config, read_config

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "sidecar" / "config" / "sidecar.yaml"
FOLDER = ROOT / "tests" / "config_files"


def config_of(folder: Path, text: str) -> Config:
    """Return the configuration in the text."""
    file = folder / "sidecar.yaml"
    file.write_bytes(text.encode())
    return read_config(file)
