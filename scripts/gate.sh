#!/usr/bin/env bash
# The gate for any pipeline: waits for the rollout, judges it, and exits as pytest does (make says 2
# for every failure). Takes ENVIRONMENT, and REVISION and BUDGET if they are given.
set -euo pipefail
cd "$(dirname "$0")/.."
if [[ -z ${ENVIRONMENT:-} ]]; then
  echo "gate: ENVIRONMENT is missing: export ENVIRONMENT=prod (a file in environments/)" >&2
  exit 4
fi
make --silent setup
arguments=(--env "$ENVIRONMENT" --gate --tb=no -q)
if [[ -n ${REVISION:-} ]]; then arguments+=(--revision "$REVISION"); fi
if [[ -n ${BUDGET:-} ]]; then arguments+=(--budget "$BUDGET"); fi
exec .venv/bin/python -m harness test "${arguments[@]}"
