"""Fetching the object on the database host: a POSIX shell command run over SSH. It carries no credentials."""

from __future__ import annotations

import shlex

from stir.serving.declaration import Target
from stir.serving.manifest import Manifest
from stir.serving.naming import Environment, file_prefix, object_folder, part_names

SPARE_BYTES = 256 * 1024 * 1024
"""What must stay free on the host's disk beside the file."""


def fetch_command(manifest: Manifest, bucket: str, folder: str, file_name: str, attempt: int, seconds: int) -> str:
    """Command that puts the object at `<folder>/<file_name>`, or its lines into the files of `part_names`, or leaves
    nothing and exits above 0 with one sentence why.

    The object is unpacked only after its size and checksum equal the manifest's, and files appear under their names
    only when all are whole. `timeout -k` bounds the transfer even when the SSH session is gone. Exit codes: 28 no
    space, 65 not what the manifest says, 66 no folder, 69 no zstd, 124 too slow, else the AWS CLI's or zstd's.
    """
    names = [f'"$folder"/{shlex.quote(name)}' for name in part_names(file_name, manifest.parts)]
    pieces = ['"$part"'] if manifest.parts == 1 else [f'"$part".{number:02}' for number in range(1, len(names) + 1)]
    moves = "\n".join(f"mv {piece} {name}" for piece, name in zip(pieces, names, strict=True))
    return f"""set -eu
refuse() {{ echo "fetch refused: $2" >&2; exit "$1"; }}
folder={shlex.quote(folder)}
part="$folder"/{shlex.quote(f"{file_name}.{int(attempt)}.part")}
packed="$part.zst"
[ -d "$folder" ] || refuse 66 "folder $folder does not exist on this host; create it for the loading user"
command -v zstd >/dev/null || refuse 69 "zstd is not installed on this host; install the package zstd"
free=$(df -Pk "$folder" | awk 'NR == 2 {{ print $4 }}')
need={(manifest.bytes + manifest.text_bytes + SPARE_BYTES) // 1024}
[ "$free" -ge "$need" ] || refuse 28 "$need KiB needed in $folder, $free KiB free; make room"
trap 'rm -f "$part" "$part".[0-9][0-9] "$packed"' EXIT HUP INT TERM
timeout -k 10 {int(seconds)} aws s3 cp --only-show-errors {shlex.quote(f"s3://{bucket}/{manifest.key}")} "$packed"
size=$(stat -c %s "$packed")
[ "$size" = {manifest.bytes} ] || refuse 65 "object has $size bytes, manifest says {manifest.bytes}; export again"
sum=$(sha256sum "$packed" | cut -c1-64)
[ "$sum" = {manifest.checksum} ] || refuse 65 "checksum $sum, manifest says {manifest.checksum}; export again"
{_unpack(manifest, seconds)}
size=0
for piece in {" ".join(pieces)}; do size=$((size + $(stat -c %s "$piece"))); done
[ "$size" = {manifest.text_bytes} ] || refuse 65 "unpacked it has $size bytes, manifest says {manifest.text_bytes}"
{moves}
echo "fetched {manifest.bytes} bytes, checksum as in the manifest, unpacked to $size"
"""


def _unpack(manifest: Manifest, seconds: int) -> str:
    """Shell lines that unpack "$packed" into "$part", or into "$part".01 and so on, each but the last with the same
    number of lines: either staging format has one line per row.

    A pipe's exit code is that of its end, so zstd's comes by another way: nothing else writes to descriptor 3.
    """
    unpack = f"timeout -k 10 {int(seconds)} zstd --decompress --quiet"
    if manifest.parts == 1:
        return f'{unpack} --force -o "$part" "$packed"'
    lines = -(-manifest.rows // manifest.parts)
    split = f'split -l {lines} -a 2 --numeric-suffixes=1 - "$part".'
    return "\n".join(
        [
            f'failed=$({{ {{ {unpack} --stdout "$packed" || echo "$?" >&3; }} | {split}; }} 3>&1)',
            '[ -z "$failed" ] || refuse "$failed" "zstd ended with exit code $failed"',
        ]
    )


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

    Uploads that a killed export has begun and nobody will complete are aborted: the object store keeps, and charges
    for, their parts, and shows them in no list of objects.
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
{_remove_objects(root, folders, older_than_minutes)}{_abort_uploads(root, folders)}"""


def _remove_objects(prefix: str, folders: list[str], older_than_minutes: int, digest: str = "") -> str:
    """Shell lines that delete the objects below `prefix` that lie in one of the folders and are older than the limit,
    or carry the digest in their key.

    The list is made and filtered by the AWS CLI and goes back to it as it is, a thousand objects a call: starting the
    CLI takes longer than deleting. An object that cannot be deleted ends the command with exit code 1.
    """
    within = _within(folders)
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


def _abort_uploads(prefix: str, folders: list[str]) -> str:
    """Shell lines that abort the uploads below `prefix` that go into one of the folders, began before "$limit" (which
    `_remove_objects` has set) and are not complete. One that cannot be aborted ends the command.
    """
    before, after = f"(Uploads || `[]`)[?({_within(folders)}) && Initiated < '", "'].[UploadId, Key]"
    return f"""timeout -k 10 120 aws s3api list-multipart-uploads --bucket "$bucket" --prefix {shlex.quote(prefix)} \\
  --output text --query {shlex.quote(before)}"$limit"{shlex.quote(after)} >"$chosen"
while read -r upload key; do
  if [ "$upload" = None ] || [ -z "$upload" ]; then continue; fi
  echo "aborting the upload of $key"
  timeout -k 10 120 aws s3api abort-multipart-upload --bucket "$bucket" --key "$key" --upload-id "$upload" </dev/null
done <"$chosen"
"""


def _within(folders: list[str]) -> str:
    """JMESPath condition: the key lies in one of the folders."""
    return " || ".join(f"starts_with(Key, {_jmespath(folder)})" for folder in folders)


def _jmespath(text: str) -> str:
    """A JMESPath raw string."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
