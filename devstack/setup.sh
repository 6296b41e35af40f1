#!/usr/bin/env bash
# Sets up what the local stack and the tests need, and nothing twice:
#
#     devstack/setup.sh [--for lint|stack|test]
#
#     lint    the Python environment in .venv, and shellcheck
#     stack   the Python environment, and the servers: PostgreSQL, RabbitMQ, sshd
#     test    both (the default)
#
# Root or sudo is needed only for missing Debian packages. System services are neither started nor touched.
# Variables: STIR_PYTHON names the Python to use; PIP_INDEX_URL or UV_INDEX_URL another package index.
# Exit codes: 0 all is there, 1 it could not be done (one sentence says why), 2 wrong usage.
set -euo pipefail

repository="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$repository"

venv="${STIR_SETUP_VENV:-$repository/.venv}" # another place only in tests
marker="$venv/.stir-requirements"
requirements=(requirements.txt requirements-dev.txt)
free_kilobytes_needed=4000000

say() { printf '%s\n' "$*"; }
fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# --- long steps -------------------------------------------------------------------------------------------------------

# run_step <what> <log> <command>...: runs the command with its output in the log, and shows that it is alive.
run_step() {
    local what=$1 log=$2 begin=$SECONDS code=0 shown=0
    shift 2
    "$@" >"$log" 2>&1 </dev/null &
    step_pid=$!
    while kill -0 "$step_pid" 2>/dev/null; do
        sleep 0.2
        local passed=$((SECONDS - begin))
        if [[ -t 1 ]]; then
            printf '\r  %s ... %d s ' "$what" "$passed"
        elif ((passed >= shown + 10 || (shown == 0 && passed >= 2))); then
            printf '  %s ... %d s\n' "$what" "$passed"
            shown=$passed
        fi
    done
    wait "$step_pid" || code=$?
    step_pid=
    [[ -t 1 ]] && printf '\r'
    if ((code == 0)); then
        printf '  %s: done in %d s\n' "$what" $((SECONDS - begin))
    fi
    return "$code"
}

# explain_failure <what> <log>: one sentence for the causes that a user can do something about, else the log's end.
explain_failure() {
    local what=$1 log=$2
    if grep -qiE 'no space left' "$log"; then
        fail "$what failed because the disk is full: make room (about 4 GB) and run the command again."
    fi
    if grep -qiE 'connection refused|could not connect|failed to (connect|fetch|download)|error sending request|resolv|unreachable|timed? ?out|dns error|max retries|NewConnectionError|proxy' "$log"; then
        fail "$what failed because the package server cannot be reached: check the network or the proxy (HTTPS_PROXY, PIP_INDEX_URL, UV_INDEX_URL) and run the command again. Details: $(tail -n 1 "$log" | cut -c 1-200)"
    fi
    printf '%s failed; the end of its output:\n' "$what" >&2
    tail -n 15 "$log" | sed 's/^/    /' >&2
    exit 1
}

# --- Debian packages --------------------------------------------------------------------------------------------------

missing_packages=()
reasons=()
need() { # need <package> <reason>
    missing_packages+=("$1")
    reasons+=("$2")
}

check_packages() {
    if [[ $purpose != lint ]]; then
        compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || need postgresql "the serving databases and Airflow's metadata"
        [[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]] || need rabbitmq-server "the message broker"
        [[ -x /usr/sbin/sshd ]] || need openssh-server "the way exports reach the database host"
        [[ -x /usr/bin/ssh-keygen ]] || need openssh-client "keys for that"
        command -v zstd >/dev/null || need zstd "unpacking exports on the database host"
    fi
    if [[ $purpose != stack ]]; then
        command -v shellcheck >/dev/null || need shellcheck "the check of shell scripts"
    fi
    if [[ $purpose == test ]]; then
        command -v docker-compose >/dev/null || need docker-compose "the check of docker-compose.yml"
    fi
    # A virtual environment without uv needs ensurepip, which Debian keeps in a package of its own.
    if [[ ! -x $venv/bin/python ]] && ! has_uv && ! "$python" -c 'import ensurepip' 2>/dev/null; then
        need "$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" "the Python environment"
    fi
}

install_packages() {
    ((${#missing_packages[@]})) || return 0
    local as_root=() i log
    command -v apt-get >/dev/null || fail "These are missing and this machine has no apt-get to install them: ${missing_packages[*]} (Debian's names); install them with its own package manager."
    if ((EUID != 0)); then
        if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
            as_root=(sudo --)
        else
            fail "Debian packages are missing and there is neither root nor sudo here: ask an administrator to run \`apt-get install --no-install-recommends ${missing_packages[*]}\`."
        fi
    fi
    say "Missing Debian packages (installed now${as_root:+ with sudo}; none of their services is started):"
    for i in "${!missing_packages[@]}"; do
        say "  ${missing_packages[i]}: ${reasons[i]}"
    done
    if ((${#as_root[@]})) && ! sudo -n true 2>/dev/null; then
        sudo -v || fail "sudo was refused: ask an administrator to run \`apt-get install --no-install-recommends ${missing_packages[*]}\`."
    fi
    log=$(new_log)
    run_step "installing ${missing_packages[*]}" "$log" \
        "${as_root[@]}" bash devstack/install_packages.sh "${missing_packages[@]}" || explain_failure "Installing Debian packages" "$log"
}

# --- Python environment -----------------------------------------------------------------------------------------------

is_right_python() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null
}

find_python() {
    local candidate
    for candidate in ${STIR_PYTHON:-python3 python3.11 python3.12 /usr/bin/python3}; do
        if is_right_python "$candidate"; then
            python=$(command -v "$candidate")
            return
        fi
    done
    local found
    found=$("${STIR_PYTHON:-python3}" --version 2>/dev/null || echo "none")
    fail "Stir needs Python 3.11 or 3.12 and found ${found}: install it (Debian 12 and Ubuntu 24.04: \`apt-get install python3\`) or name it with STIR_PYTHON=/path/to/python3.12."
}

has_uv() {
    uv --version >/dev/null 2>&1 # pyenv puts a `uv` on the PATH that may have no uv behind it
}

wanted_state() {
    cat "${requirements[@]}" | sha256sum | cut -d ' ' -f 1
}

require_disk() {
    local free
    free=$(df -Pk "$(dirname "$venv")" | awk 'NR == 2 { print $4 }')
    ((free >= free_kilobytes_needed)) || fail "Only $((free / 1000)) MB are free in $(dirname "$venv"), and set-up needs $((free_kilobytes_needed / 1000)) MB: make room and run the command again."
}

set_up_python() {
    local state log
    state=$(wanted_state)
    if [[ -f $marker && $(<"$marker") == "$state" ]]; then
        return 0
    fi
    require_disk
    if [[ -d $venv ]] && ! is_right_python "$venv/bin/python"; then
        say "The Python environment in $venv is broken or of another Python; it is made again."
        rm -rf -- "$venv"
    fi
    log=$(new_log)
    if [[ ! -x $venv/bin/python ]]; then
        new_venv=yes # taken away again if set-up fails
        if has_uv; then
            run_step "Python environment ($("$python" --version))" "$log" uv venv --quiet --python "$python" "$venv" || explain_failure "Making the Python environment" "$log"
        else
            run_step "Python environment ($("$python" --version))" "$log" "$python" -m venv "$venv" || explain_failure "Making the Python environment" "$log"
        fi
    fi
    if [[ -n ${PIP_INDEX_URL:-} && -z ${UV_INDEX_URL:-}${UV_DEFAULT_INDEX:-} ]]; then
        export UV_INDEX_URL=$PIP_INDEX_URL
    fi
    install_requirements "$log"
    printf '%s\n' "$state" >"$marker"
    new_venv=
}

install_requirements() {
    local log=$1 what="Python packages of ${requirements[*]}" files=() file
    for file in "${requirements[@]}"; do files+=(--requirement "$file"); done
    export UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-60}
    if has_uv; then
        run_step "$what (uv)" "$log" uv pip install --quiet --python "$venv/bin/python" "${files[@]}" || explain_failure "Installing Python packages" "$log"
    elif run_step "uv, the fast installer" "$log" "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv; then
        run_step "$what (uv)" "$log" "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" "${files[@]}" || explain_failure "Installing Python packages" "$log"
    else
        run_step "$what (pip)" "$log" "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${files[@]}" || explain_failure "Installing Python packages" "$log"
    fi
}

# --- main -------------------------------------------------------------------------------------------------------------

purpose="test"
case "${1:-}" in
    --for) purpose=${2:-} ;;
    '') ;;
    -h | --help)
        sed -n '2,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
        exit 0
        ;;
    *) purpose= ;;
esac
case "$purpose" in
    lint | stack | test) ;;
    *)
        say "usage: devstack/setup.sh [--for lint|stack|test]" >&2
        exit 2
        ;;
esac

step_pid=
new_venv=
scratch=$(mktemp -d "${TMPDIR:-/tmp}/stir-setup.XXXXXX")
new_log() { mktemp "$scratch/log.XXXXXX"; }
clean_up() {
    rm -rf -- "$scratch"
    [[ -z $step_pid ]] || kill "$step_pid" 2>/dev/null || true
    [[ -z $new_venv ]] || rm -rf -- "$venv"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

exec 9<"${BASH_SOURCE[0]}" # a lock without a file of its own
if ! flock --nonblock 9; then
    say "Another set-up is running here; waiting for it."
    flock 9
fi

find_python
check_packages
install_packages
set_up_python
