"""Fetches the browser's libraries from npm into ``static/vendor`` and writes their manifest.

``python -m fateboard.vendoring`` needs npm and the package registry; installing and running the
board needs neither. Each file is the package's own ES module; only the bare names in its import
statements become paths, for browsers have no ``node_modules``. Raise a version here and run it.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

VENDOR = Path(__file__).parent / "static" / "vendor"

FILES = {
    ("preact", "11.2.0"): {
        "preact.js": "dist/preact.mjs",
        "preact-hooks.js": "hooks/dist/hooks.mjs",
        "preact.LICENSE.txt": "LICENSE",
    },
    ("htm", "3.1.1"): {"htm.js": "dist/htm.module.js", "htm.LICENSE.txt": "LICENSE"},
    ("@preact/signals-core", "1.14.5"): {
        "signals-core.js": "dist/signals-core.mjs",
        "signals-core.LICENSE.txt": "LICENSE",
    },
    ("@preact/signals", "2.11.4"): {
        "signals.js": "dist/signals.mjs",
        "signals.LICENSE.txt": "LICENSE",
    },
    ("echarts", "6.1.0"): {
        "echarts.js": "dist/echarts.esm.min.mjs",
        "echarts.LICENSE.txt": "LICENSE",
        "echarts.NOTICE.txt": "NOTICE",
    },
    ("@dagrejs/dagre", "3.1.3"): {"dagre.js": "dist/dagre.esm.js", "dagre.LICENSE.txt": "LICENSE"},
}
_PATHS = {
    "preact": "./preact.js",
    "preact/hooks": "./preact-hooks.js",
    "@preact/signals-core": "./signals-core.js",
}
_IMPORT = re.compile(r"""(\bfrom\s*|\bimport\s*)(["'])([^"'./][^"']*)\2""")
_SOURCE_MAP = re.compile(r"\n?//# sourceMappingURL=\S+\s*$")


def refresh() -> None:
    """Replace ``static/vendor`` by what ``FILES`` names. Raises CalledProcessError from npm."""
    VENDOR.mkdir(parents=True, exist_ok=True)
    manifest = []
    for (name, version), files in FILES.items():
        archive, about = _packed(name, version)
        package = json.loads(archive["package/package.json"])
        for target, source in files.items():
            content = archive[f"package/{source}"]
            if target.endswith(".js"):
                content = _without_bare_imports(content.decode()).encode()
            (VENDOR / target).write_bytes(content)
            manifest.append(
                {
                    "file": target,
                    "name": name,
                    "version": version,
                    "licence": package["license"],
                    "source": source,
                    "package_integrity": about["integrity"],
                    "sha256": hashlib.sha256(content).hexdigest(),
                }
            )
    (VENDOR / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


def _packed(name: str, version: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The files of a package as npm has it, and what npm says about the archive."""
    with tempfile.TemporaryDirectory() as folder:
        told = subprocess.run(
            ["npm", "pack", "--json", f"{name}@{version}"],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        found = json.loads(told)
        about = found[0] if isinstance(found, list) else next(iter(found.values()))
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            files = {
                member.name: handle.read()
                for member in archive.getmembers()
                if (handle := archive.extractfile(member)) is not None
            }
    return files, about


def _without_bare_imports(source: str) -> str:
    """Raises KeyError for an import that no vendored file serves."""
    paths = _IMPORT.sub(lambda m: f"{m[1]}{m[2]}{_PATHS[m[3]]}{m[2]}", source)
    return _SOURCE_MAP.sub("\n", paths)


if __name__ == "__main__":
    refresh()
