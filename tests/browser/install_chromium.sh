#!/bin/sh
# Chromium for the browser tests, where root may install it from the system's packages. Silent when
# there is one already. Never fails: without Chromium those tests are skipped, and this says why.
found() {
    for name in ${DISTAFF_CHROMIUM:-chromium chromium-browser google-chrome}; do
        command -v "$name" >/dev/null 2>&1 && return 0
    done
    return 1
}
skipped() {
    echo "browser: SKIPPED, there is no Chromium here and $1; install chromium or set DISTAFF_CHROMIUM"
    exit 0
}
install() {
    export DEBIAN_FRONTEND=noninteractive
    timeout 120 apt-get update -qq &&
        timeout 300 apt-get install -y -qq --no-install-recommends chromium fonts-liberation
}

found && exit 0
[ -z "$DISTAFF_CHROMIUM" ] || skipped "DISTAFF_CHROMIUM ($DISTAFF_CHROMIUM) names none"
command -v apt-get >/dev/null 2>&1 || skipped "no apt-get to install it"
[ "$(id -u)" = 0 ] || skipped "only root may install it"
echo "browser: installing chromium for the board's tests"
install </dev/null >/dev/null 2>&1 || skipped "apt-get cannot install it"
found || skipped "apt-get installed none"
