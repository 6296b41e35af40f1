#!/usr/bin/env bash
# Prepares `docker compose up`: writes .env with generated passwords and makes the ssh keys. Leaves what exists as it is.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in openssl ssh-keygen; do
    command -v "$tool" >/dev/null || { echo "docker/init.sh needs $tool: install it first (Debian: openssl, openssh-client)." >&2; exit 1; }
done

umask 077
mkdir -p docker/keys
[ -f docker/keys/ssh_host_key ] || ssh-keygen -q -t ed25519 -N '' -C stir-database-host -f docker/keys/ssh_host_key
[ -f docker/keys/ssh_key ] || ssh-keygen -q -t ed25519 -N '' -C stir-airflow -f docker/keys/ssh_key
cp docker/keys/ssh_key.pub docker/keys/ssh_authorized_keys
chmod 644 docker/keys/ssh_authorized_keys # sshd reads it as the login user

if [ -f .env ]; then
    echo ".env exists and is kept."
    exit 0
fi
host_key=$(cut -d ' ' -f 1,2 docker/keys/ssh_host_key.pub)
while IFS= read -r line; do
    case "$line" in
    *=generate:hex) echo "${line%%=*}=$(openssl rand -hex 24)" ;;
    *=generate:fernet) echo "${line%%=*}=$(openssl rand -base64 32 | tr '+/' '-_')" ;;
    *=generate:uid) echo "${line%%=*}=$(id -u)" ;;
    *=generate:host-key) echo "${line%%=*}=$host_key" ;;
    *) echo "$line" ;;
    esac
done <.env.example >.env
echo "Wrote .env with generated passwords. Next: docker compose up --wait"
