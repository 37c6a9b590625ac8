#!/usr/bin/env bash
# by_option.sh ACTION --env ENVIRONMENT [options]: what deploy.sh, verify.sh and rollback.sh here have in common.
set -euo pipefail

action=$1 environment="" options=()
shift
say() { printf '%s\n' "$*" >&2; }
while (($#)); do
    case $1 in
        --env) (($# > 1)) || { say "$action.sh: --env needs an environment"; exit 2; }; environment=$2; shift ;;
        --env=*) environment=${1#*=} ;;
        --project | --project=* | --region | --region=*)
            say "$action.sh: Cloud Run (--project, --region) is not available yet; --env dev deploys to this machine."
            exit 1 ;;
        *) options+=("$1") ;;
    esac
    shift
done
[[ -n $environment ]] || { say "usage: deploy/scripts/$action.sh --env dev|lab|staging|production [options]"; exit 2; }
[[ $environment != prod ]] || environment=production
exec "$(dirname "${BASH_SOURCE[0]}")/../../deploy.sh" "$environment" "$action" "${options[@]}"
