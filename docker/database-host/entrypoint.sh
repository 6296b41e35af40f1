#!/bin/sh
# Writes the AWS CLI's files from the environment, readable by the loader alone, then becomes sshd.
set -eu
umask 077
mkdir -p /home/loader/.aws
cat > /home/loader/.aws/config <<EOF
[default]
region = ${S3_REGION:-us-east-1}
endpoint_url = ${S3_ENDPOINT:?address of the object store}
EOF
cat > /home/loader/.aws/credentials <<EOF
[default]
aws_access_key_id = ${S3_ACCESS_KEY:?access key of the object store}
aws_secret_access_key = ${S3_SECRET_KEY:?secret key of the object store}
EOF
chown -R loader /home/loader/.aws /exports
exec /usr/sbin/sshd -D -e
