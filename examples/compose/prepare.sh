#!/bin/sh
# What two sites need before their first start, below the folder given: ca, guest, host, samples.
# What is there already stays.
set -eu
root=${1%/}

test -f "$root/ca/certs/ca.pem" || distaff cert init --home "$root/ca"

site() { # folder, its party, the other's folder, the other's party
    test -f "$root/$1/certs/party.pem" || distaff cert issue "$2" --home "$root/ca" --out "$root/$1/certs"
    mkdir -p "$root/$1/serving"
    cat >"$root/$1/route_table.json" <<END
{"route_table": {"$4": {"default": [{"ip": "$3", "port": 9370, "is_secure": true}]}},
 "permission": {"default_allow": true}}
END
    cat >"$root/$1/serving/route_table.json" <<END
{"route_table": {"$4": {"serving": [{"ip": "$3", "port": 8869, "useSSL": true}]}}}
END
    chmod 700 "$root/$1"
}
site guest 9999 host 10000
site host 10000 guest 9999

test -f "$root/host/serving.json" || cat >"$root/host/serving.json" <<END
{"adapter": "csv",
 "adapter_options": {"path": "$root/samples/patients_host.csv", "id": "id", "key": "patient"}}
END

test -f "$root/samples/conf.json" || python - "$(dirname "$0")/.." "$root/samples" <<END
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
import demo

demo.SAMPLES = Path(sys.argv[2])
demo.write_samples()
END
