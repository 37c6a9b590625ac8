#!/usr/bin/env bash
# Deploys and looks after the platform: ./deploy.sh ENVIRONMENT ACTION [options]
# What an action does is written in the playbooks; this checks the words, prepares the controller and starts them.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly root
readonly environments="dev lab staging production"
readonly actions="deploy update rollback verify status plan monitoring backup restore up down destroy"

usage() {
    cat <<'TEXT'
usage: ./deploy.sh ENVIRONMENT ACTION [options] [-- ANSIBLE-PLAYBOOK OPTIONS]

environments: dev (this machine), lab, staging, production
actions:
  deploy      bring the platform to what this tree describes; a second time changes nothing
  update      the same for a platform that runs: each replica is replaced start-first
  plan        what deploy would change, and why; changes nothing
  verify      health, certificates, and a real completion through both flows
  status      each replica: wanted, running, healthy, release
  destroy     remove containers, networks and data (dev and lab only)
  rollback, monitoring, backup, restore, up, down
options:
  --verbose          Ansible's own output on the screen
  --format FORMAT    status: table or json
  --yes              destroy: do not ask
  --refresh-base     deploy, update: fetch Debian again for the latest security updates
  -h, --help         this text
TEXT
}

say() { printf '%s\n' "$*" >&2; }
refuse() { say "deploy.sh: $*"; exit 1; }
misuse() { say "deploy.sh: $*"; say "usage: ./deploy.sh ENVIRONMENT ACTION [options]; ./deploy.sh --help explains"; exit 2; }
one_of() { [[ " $2 " == *" $1 "* ]]; }

verbose=no format=table confirmed=no
ansible_options=()

read_words() {
    local words=()
    while (($#)); do
        case $1 in
            -h | --help) usage; exit 0 ;;
            --verbose) verbose=yes ;;
            --yes) confirmed=yes ;;
            --refresh-base) ansible_options+=(-e '{"platform_base_refresh": true}') ;;
            --format) (($# > 1)) || misuse "--format needs table or json"; format=$2; shift ;;
            --format=*) format=${1#*=} ;;
            --) shift; ansible_options+=("$@"); break ;;
            -*) misuse "unknown option $1" ;;
            *) words+=("$1") ;;
        esac
        shift
    done
    ((${#words[@]} == 2)) || misuse "an environment and an action are needed, not ${#words[@]} words"
    environment=${words[0]} action=${words[1]}
    one_of "$environment" "$environments" || misuse "unknown environment '$environment'; there are: $environments"
    one_of "$action" "$actions" || misuse "unknown action '$action'; there are: $actions"
    one_of "$format" "table json" || misuse "unknown format '$format'; there are: table json"
}

check_it_exists() {
    [[ $environment == dev ]] || refuse "$environment is not available yet; this release deploys to dev (this machine)."
    case $action in
        up | down) refuse "$action is for the lab's hosts; dev is this machine." ;;
        rollback | monitoring | backup | restore) refuse "'$environment $action' is not available yet." ;;
    esac
}

check_privileges() {
    ((EUID == 0)) || sudo -n true 2>/dev/null \
        || refuse "$(id -un) is not root and may not use sudo without a password: run as root, or allow it in sudoers."
    mkdir -p "$state" 2>/dev/null \
        || refuse "$(id -un) may not write into $root: run as $(stat -c %U "$root"), or clone it for $(id -un)."
}

confirm_destroy() {
    [[ $action == destroy && $confirmed == no ]] || return 0
    [[ -t 0 ]] || refuse "destroy removes all data of $environment; say --yes when nobody can be asked."
    local answer
    read -r -p "This removes all containers, networks and data of $environment. Type $environment to go on: " answer
    [[ $answer == "$environment" ]] || refuse "nothing was removed."
}

# One operator at a time on this machine, from whichever checkout: the lock is the open file, so it ends with the process.
lock_environment() {
    local lock=${LLM_PLATFORM_LOCK_DIR:-/run/lock}/llm-platform-$environment.lock
    { exec 9>>"$lock"; } 2>/dev/null \
        || refuse "the lock $lock belongs to $(stat -c %U "$lock"): run this as $(stat -c %U "$lock"), or remove it."
    flock --nonblock 9 || refuse "$environment is being changed by $(<"$lock"). Wait for it, then repeat."
    printf '%s (pid %s, %s since %s)\n' "$(id -un)" "$$" "$action" "$(date +%T)" >"$lock"
}

playbook() {
    case $action in
        deploy | update | plan) echo site.yml ;;
        *) echo "deploy/playbooks/$action.yml" ;;
    esac
}

play() {
    local log
    log=$state/log/$(date +%Y%m%dT%H%M%S)-$action.log
    mkdir -p "$state/log"
    [[ $action != plan ]] || ansible_options+=(--check --diff)
    [[ $verbose == yes ]] || export ANSIBLE_STDOUT_CALLBACK=llm_platform_progress
    export ANSIBLE_CONFIG=$root/ansible.cfg ANSIBLE_LOG_PATH=$log
    export LLM_PLATFORM_RUN="$environment $action"
    "$root/.state/controller/bin/ansible-playbook" --inventory "$root/deploy/inventory/$environment.ini" \
        "${ansible_options[@]}" "$root/$(playbook)"
}

main() {
    read_words "$@"
    check_it_exists
    state=$root/.state/$environment
    umask 077
    confirm_destroy
    check_privileges
    cd "$root"
    one_of "$action" "plan status verify" || lock_environment
    "$root/deploy/scripts/bootstrap.sh"
    case $action in
        status) play >"$state/status.log" || { cat "$state/status.log"; exit 1; }
                "$root/.state/controller/bin/python" "$root/deploy/scripts/status.py" --format "$format" "$state/status.json" ;;
        deploy) play && "$root/.state/controller/bin/python" "$root/deploy/scripts/handover.py" "$state" ;;
        *) play ;;
    esac
}

main "$@"
