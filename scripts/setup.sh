#!/bin/sh
# Sets up .venv from the hashed requirements.lock, with the Python that PYTHON names or the quickest of
# PATH. Needs Python 3.11+; no root, no system package.
set -eu
cd "$(dirname "$0")/.."
venv=.venv
python=${PYTHON:-python3}
# Compiled bytecode makes MLflow's import two and a half times as fast, so it must be written.
unset PYTHONDONTWRITEBYTECODE

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 4; }

command -v "$python" >/dev/null 2>&1 || fail "$python not found: install Python 3.11 or newer, or name one with PYTHON=…"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) is too old: Python 3.11 or newer is needed; name one with PYTHON=…"

if [ ! -x "$venv/bin/python" ]; then
    [ -n "${PYTHON:-}" ] || python=$("$python" scripts/pick_python.py) || python=python3
    say "making $venv with $("$python" --version)"
    if command -v uv >/dev/null 2>&1; then
        uv venv --quiet --python "$python" "$venv"
    else
        "$python" -m venv "$venv" || fail "cannot make $venv: on Debian and Ubuntu, install python3-venv"
    fi
fi
if command -v uv >/dev/null 2>&1; then
    uv=uv
else
    uv=$venv/bin/uv
    [ -x "$uv" ] || { say "installing uv into $venv"; "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv; }
fi
say "installing $(grep -c '==' requirements.lock) packages from requirements.lock (about half a minute the first time)"
VIRTUAL_ENV=$PWD/$venv "$uv" pip install --quiet --compile-bytecode --require-hashes -r requirements.lock
cp requirements.lock "$venv/.installed"
say "done"
