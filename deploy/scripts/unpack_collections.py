"""Takes the collections of deploy/requirements.yml out of the pinned ``ansible`` wheel.

usage: unpack_collections.py WHEEL TARGET
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import yaml

REQUIREMENTS = Path(__file__).parents[1] / "requirements.yml"


def required(path: Path = REQUIREMENTS) -> dict[str, str]:
    """Collection -> version."""
    return {one["name"]: str(one["version"]) for one in yaml.safe_load(path.read_text())["collections"]}


def extract(wheel: zipfile.ZipFile, collection: str, version: str, target: Path) -> None:
    """Unpacks one collection. Raises ValueError when the wheel holds another version."""
    folder = f"ansible_collections/{collection.replace('.', '/')}/"
    found = json.loads(wheel.read(f"{folder}MANIFEST.json"))["collection_info"]["version"]
    if found != version:
        raise ValueError(f"deploy/requirements.yml wants {collection} {version}, the pinned wheel holds {found}")
    wheel.extractall(target, [name for name in wheel.namelist() if name.startswith(folder)])


def main(wheel: str, target: str) -> int:
    with zipfile.ZipFile(wheel) as archive:
        for collection, version in required().items():
            extract(archive, collection, version, Path(target))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
