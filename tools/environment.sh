# A virtual environment with srtpy in it, for the scripts beside this file, which source it.
#
# Lives here: finding a Python, making .venv whatever pieces of it Debian left out, installing.
# Never here: which extras and which Debian packages a script wants; it says so itself.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

say() { printf '%s\n' "$*" >&2; }

# Install Debian packages if we may; otherwise say how.  Returns 1 if they are not there afterwards.
want_packages() {
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing with apt-get: $*"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq >&2 || say "apt-get update failed; trying with what is known"
        apt-get install -y -qq --no-install-recommends "$@" >/dev/null || {
            say "apt-get could not install: $*"
            return 1
        }
        return 0
    fi
    say "missing, and not ours to install: $*"
    say "    get it with: sudo apt-get install $*"
    return 1
}

find_python() {
    local name
    for name in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

# Make .venv: with the standard library's venv, else without pip but with the system's, else by virtualenv.
make_environment() {
    local python
    [ -x .venv/bin/python ] && .venv/bin/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return 0
    if ! python=$(find_python); then
        want_packages python3 python3-venv || true
        python=$(find_python) || { say "srtpy needs Python 3.11 or newer; there is none here (set PYTHON=... to name one)"; exit 1; }
    fi
    if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        say "this Python has no complete venv module (Debian and Ubuntu ship it apart)"
        want_packages python3-venv || true
    fi
    if "$python" -c 'import venv, ensurepip' 2>/dev/null && "$python" -m venv --clear .venv; then
        return 0
    fi
    if "$python" -m pip --version >/dev/null 2>&1 && "$python" -m venv --clear --without-pip .venv 2>/dev/null \
        && "$python" -m pip --python .venv/bin/python install --quiet pip >&2; then
        return 0
    fi
    if "$python" -m virtualenv --version >/dev/null 2>&1 && "$python" -m virtualenv --quiet --clear .venv >&2; then
        return 0
    fi
    say "cannot make a virtual environment.  Any of these helps:"
    say "    sudo apt-get install python3-venv"
    say "    sudo apt-get install python3-virtualenv"
    exit 1
}

# Install srtpy from here with the extras named, once for each version of pyproject.toml.
install_srtpy() {
    local extras=$1 mark
    mark=".venv/installed-$extras-$(cksum <pyproject.toml | cut -d' ' -f1)"
    [ -e "$mark" ] && return 0
    say "installing srtpy[$extras] into .venv"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -e ".[$extras]" >&2 || {
        say "pip could not install srtpy[$extras]; is there a way to the package index from here?"
        exit 1
    }
    : >"$mark"
}
