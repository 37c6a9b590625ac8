#!/usr/bin/env bash
# deploy/scripts/deploy.sh --env ENVIRONMENT [options]: ./deploy.sh ENVIRONMENT deploy, for those who call it by option.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/by_option.sh" deploy "$@"
