"""Fetching the object on the database host: a POSIX shell command run over SSH. It carries no credentials."""

from __future__ import annotations

import shlex

from stir.serving.declaration import Target
from stir.serving.manifest import Manifest
from stir.serving.naming import Environment, file_prefix, object_folder

SPARE_BYTES = 256 * 1024 * 1024
"""What must stay free on the host's disk beside the file."""


def fetch_command(manifest: Manifest, bucket: str, folder: str, file_name: str, attempt: int, seconds: int) -> str:
    """Command that puts the object at `<folder>/<file_name>`, or leaves nothing and exits above 0 with one sentence
    why.

    The object is unpacked only after its size and checksum equal the manifest's, and the file appears under its name
    only when it is whole. `timeout -k` bounds the transfer even when the SSH session is gone. Exit codes: 28 no space,
    65 not what the manifest says, 66 no folder, 69 no zstd, 124 too slow, else the AWS CLI's.
    """
    return f"""set -eu
refuse() {{ echo "fetch refused: $2" >&2; exit "$1"; }}
folder={shlex.quote(folder)}
final="$folder"/{shlex.quote(file_name)}
part="$final.{int(attempt)}.part"
packed="$part.zst"
[ -d "$folder" ] || refuse 66 "folder $folder does not exist on this host; create it for the loading user"
command -v zstd >/dev/null || refuse 69 "zstd is not installed on this host; install the package zstd"
free=$(df -Pk "$folder" | awk 'NR == 2 {{ print $4 }}')
need={(manifest.bytes + manifest.text_bytes + SPARE_BYTES) // 1024}
[ "$free" -ge "$need" ] || refuse 28 "$need KiB needed in $folder, $free KiB free; make room"
trap 'rm -f "$part" "$packed"' EXIT HUP INT TERM
timeout -k 10 {int(seconds)} aws s3 cp --only-show-errors {shlex.quote(f"s3://{bucket}/{manifest.key}")} "$packed"
size=$(stat -c %s "$packed")
[ "$size" = {manifest.bytes} ] || refuse 65 "object has $size bytes, manifest says {manifest.bytes}; export again"
sum=$(sha256sum "$packed" | cut -c1-64)
[ "$sum" = {manifest.checksum} ] || refuse 65 "checksum $sum, manifest says {manifest.checksum}; export again"
timeout -k 10 {int(seconds)} zstd --decompress --quiet --force -o "$part" "$packed"
size=$(stat -c %s "$part")
[ "$size" = {manifest.text_bytes} ] || refuse 65 "file has $size bytes, manifest says {manifest.text_bytes}"
mv "$part" "$final"
echo "fetched {manifest.bytes} bytes, checksum as in the manifest, unpacked to $size"
"""


def clean_up_command(
    target: Target,
    environment: Environment,
    *,
    bucket: str,
    prefix: str,
    folder: str,
    digest: str,
    older_than_minutes: int,
) -> str:
    """Command that removes this run's objects and files, and those of crashed runs of this target older than the limit.

    Only names of this target and environment are touched: `<target>.<environment>.*` and the target's own S3 folder.
    """
    objects = object_folder(prefix, target, environment)
    pattern = file_prefix(target, environment)
    return f"""set -eu
folder={shlex.quote(folder)}
bucket={shlex.quote(bucket)}
if [ -d "$folder" ]; then
  find "$folder" -maxdepth 1 -type f -name {shlex.quote(f"{pattern}*{digest}*")} -delete
  find "$folder" -maxdepth 1 -type f -name {shlex.quote(f"{pattern}*")} -mmin +{int(older_than_minutes)} -delete
fi
{_remove_objects(objects, [objects], older_than_minutes, digest)}"""


def sweep_command(
    targets: list[Target], environment: Environment, *, bucket: str, prefix: str, folder: str, older_than_minutes: int
) -> str:
    """Command that removes files and objects of all targets that are older than the limit, and reports the disk.

    Only names of these targets and this environment are touched, as in `clean_up_command`.
    """
    names = " -o ".join(f"-name {shlex.quote(file_prefix(target, environment) + '*')}" for target in targets)
    folders = [object_folder(prefix, target, environment) for target in targets]
    root = f"{prefix.strip('/')}/{environment.name}/"
    return f"""set -eu
folder={shlex.quote(folder)}
bucket={shlex.quote(bucket)}
if [ -d "$folder" ]; then
  find "$folder" -maxdepth 1 -type f -mmin +{int(older_than_minutes)} \\( {names} \\) -print -delete
  df -h "$folder"
  du -sh "$folder"
fi
{_remove_objects(root, folders, older_than_minutes)}"""


def _remove_objects(prefix: str, folders: list[str], older_than_minutes: int, digest: str = "") -> str:
    """Shell lines that delete the objects below `prefix` that lie in one of the folders and are older than the limit,
    or carry the digest in their key.

    The list is made and filtered by the AWS CLI and goes back to it as it is, a thousand objects a call: starting the
    CLI takes longer than deleting. An object that cannot be deleted ends the command with exit code 1.
    """
    within = " || ".join(f"starts_with(Key, {_jmespath(folder)})" for folder in folders)
    carrying = f"contains(Key, {_jmespath(digest)}) || " if digest else ""
    before, after = f"{{Quiet: `true`, Objects: (Contents || `[]`)[?({within}) && ({carrying}LastModified < '", "')]"
    query = f'{shlex.quote(before)}"$limit"{shlex.quote(after + ".{Key: Key} | [:1000]}")}'
    return f"""limit=$(date -u -d '-{int(older_than_minutes)} minutes' +%Y-%m-%dT%H:%M:%S)
chosen=$(mktemp)
trap 'rm -f "$chosen"' EXIT HUP INT TERM
while :; do
  timeout -k 10 120 aws s3api list-objects-v2 --bucket "$bucket" --prefix {shlex.quote(prefix)} --output json \\
    --query {query} >"$chosen"
  grep -q '"Key":' "$chosen" || break
  sed -n 's/^ *"Key": /removing /p' "$chosen"
  failed=$(timeout -k 10 120 aws s3api delete-objects --bucket "$bucket" --delete "file://$chosen" \\
    --output text --query 'Errors[].[Key, Message]')
  case "$failed" in
    "" | None) ;;
    *) echo "not deleted: $failed" >&2; exit 1 ;;
  esac
done
"""


def _jmespath(text: str) -> str:
    """A JMESPath raw string."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
