#!/usr/bin/env bash
# Prepares the controller: a virtual environment with the locked packages and the pinned collections, in .state.
# Does nothing when it was made from the same locks.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
controller=$root/.state/controller
collections=$root/.state/collections

refuse() { printf 'deploy.sh: %s\n' "$*" >&2; exit 1; }

# Debian's own Python first: the operator's pyenv comes and goes.
find_python() {
    local python
    for python in /usr/bin/python3 python3; do
        if "$python" -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    return 1
}

install_python() {
    command -v apt-get >/dev/null || refuse "Python 3.11 to 3.13 with venv is needed; Debian 12 and 13 have it."
    ((EUID == 0)) || refuse "Python's venv is missing: sudo apt-get install python3-venv"
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3-venv; } \
        >>"$log" 2>&1 || refuse "python3-venv could not be installed: is the network there? The reason is at the end of $log"
}

pip() {
    "$controller/bin/python" -m pip --disable-pip-version-check "$@" >>"$log" 2>&1 \
        || refuse "packages could not be fetched: is the network there, and pip's index configured? The reason is at the end of $log"
}

install_packages() {
    rm -rf "$controller"
    "$1" -m venv "$controller"
    pip install --require-hashes --only-binary :all: --requirement "$root/requirements/deploy.lock"
}

install_collections() {
    local wheels
    wheels=$(mktemp -d)
    # shellcheck disable=SC2064 # the path of now is meant
    trap "rm -rf '$wheels'" EXIT
    rm -rf "$collections"
    pip download --quiet --no-deps --require-hashes --requirement "$root/requirements/collections.lock" --dest "$wheels"
    "$controller/bin/python" "$root/deploy/scripts/unpack_collections.py" "$wheels"/ansible-*.whl "$collections" \
        || refuse "the pinned collections do not fit deploy/requirements.yml"
}

locks_digest() {
    cat "$root"/requirements/{deploy,collections}.lock "$root/deploy/requirements.yml" | sha256sum | cut -d' ' -f1
}

main() {
    local wanted python
    wanted=$(locks_digest)
    [[ $(cat "$controller/made-from" 2>/dev/null) != "$wanted" ]] || return 0

    mkdir -p "$root/.state"
    exec 8>>"$root/.state/bootstrap.lock"
    flock 8
    log=$root/.state/bootstrap.log
    : >"$log"
    echo "preparing the controller in .state (once)"
    find_python >/dev/null || install_python
    python=$(find_python) || refuse "Python 3.11 to 3.13 with venv is needed; Debian 12 and 13 have it."
    install_packages "$python"
    install_collections
    echo "$wanted" >"$controller/made-from"
}

main "$@"
