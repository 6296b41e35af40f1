#!/usr/bin/env bash
# Installs Debian packages without starting or enabling any of their services. Run as root, by setup.sh:
#
#     install_packages.sh <package>...
#
# Packages of servers start them on their default ports. /usr/sbin/policy-rc.d is Debian's own way to forbid that; it is put
# in place for the duration of the installation and taken away (or put back as it was) whatever happens.
set -euo pipefail

policy="${STIR_SETUP_POLICY:-/usr/sbin/policy-rc.d}" # another place only in tests
saved="$policy.before-stir-setup"
mark="# placed by Stir's set-up, for the duration of one installation"

restore_policy() {
    # Also repairs what a killed earlier installation left.
    if [[ -e $saved || -L $saved ]]; then
        mv -f -- "$saved" "$policy"
    elif [[ -f $policy ]] && grep -qxF -- "$mark" "$policy"; then
        rm -f -- "$policy"
    fi
}

forbid_service_starts() {
    restore_policy
    if [[ -e $policy || -L $policy ]]; then
        mv -- "$policy" "$saved"
    fi
    printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
    chmod 755 "$policy"
}

is_installed() {
    [[ $(dpkg-query --show --showformat '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# Services are also enabled for the next boot. Those of packages that were not there before are switched off again.
declare -A units=(
    [postgresql]="postgresql.service"
    [postgresql-common]="postgresql.service"
    [rabbitmq-server]="rabbitmq-server.service"
    [erlang-base]="epmd.socket epmd.service"
    [openssh-server]="ssh.socket ssh.service"
)

main() {
    local new_packages=() package unit
    for package in "${!units[@]}"; do
        is_installed "$package" || new_packages+=("$package")
    done

    trap restore_policy EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    forbid_service_starts

    export DEBIAN_FRONTEND=noninteractive
    local apt=(apt-get --option DPkg::Lock::Timeout=120 --option Acquire::Retries=2 --quiet)
    "${apt[@]}" update
    "${apt[@]}" install --yes --no-install-recommends "$@"

    command -v systemctl >/dev/null || return 0
    for package in "${new_packages[@]}"; do
        is_installed "$package" || continue
        for unit in ${units[$package]}; do
            systemctl disable "$unit" >/dev/null 2>&1 || true # not every release has every unit
        done
    done
}

main "$@"
