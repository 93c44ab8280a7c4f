"""A trial of two sites: upload at both, train, deploy, load, bind, and ask for one score.

`python trial.py [--guest ADDRESS] [--host ADDRESS] [--serving URL] [--samples FOLDER]`; run where
both sites' REST ports can be reached, as in the guest's container of compose.yaml.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import demo


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--guest", default="127.0.0.1:9380")
    parser.add_argument("--host", default="host:9380")
    parser.add_argument("--serving", default="http://127.0.0.1:8059")
    parser.add_argument("--samples", type=Path, default=Path("/samples"))
    given = parser.parse_args()
    demo.SAMPLES = given.samples
    os.environ["DISTAFF_OUTPUT"] = "table"
    for role, server in (("host", given.host), ("guest", given.guest)):
        os.environ["DISTAFF_SERVER"] = server
        conf = str(given.samples / f"upload_{role}.json")
        demo.run("flow", "data", "upload", "-c", conf, "--drop", "--wait")
    dsl, conf = (str(given.samples / name) for name in ("dsl.json", "conf.json"))
    demo.run("flow", "job", "submit", "-d", dsl, "-c", conf, "--wait")
    demo.serve(demo.show_metrics(), given.serving)


if __name__ == "__main__":
    main()
