#!/usr/bin/env bash
# deploy/scripts/rollback.sh --env ENVIRONMENT [options]: ./deploy.sh ENVIRONMENT rollback, for those who call it by option.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/by_option.sh" rollback "$@"
