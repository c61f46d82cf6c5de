#!/bin/sh
# Gathers everything that an installation without the internet needs: make-wheels.sh [DIRECTORY]
# The wheels fit the Python that gathers them: PYTHON, else Debian's.
set -eu
cd "$(dirname "$0")/.."
out=${1:-build/wheels}
python=${PYTHON:-/usr/bin/python3}
tools=build/wheel-tools
mkdir -p "$out"
[ -x "$tools/bin/pip" ] || "$python" -m venv "$tools"
pip="$tools/bin/pip -q --disable-pip-version-check"
lock=$(sha256sum requirements.lock | cut -d' ' -f1)
if [ ! -e "$out/.lock-$lock" ]; then
    rm -rf "$out"
    mkdir -p "$out"
    $pip download --only-binary=:all: --require-hashes -d "$out" -r requirements.lock
    touch "$out/.lock-$lock"
fi
rm -f "$out"/haagent-*.whl
$pip wheel --no-deps -w "$out" .
rm -rf build/lib build/bdist.*
