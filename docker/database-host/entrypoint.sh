#!/bin/sh
# Writes the AWS CLI's files from the environment, readable by the loader alone, then becomes sshd.
set -eu
umask 077
mkdir -p /home/loader/.aws
cat > /home/loader/.aws/config <<EOF
[default]
region = ${S3_REGION:-us-east-1}
endpoint_url = ${S3_ENDPOINT:?the object store's address}
EOF
cat > /home/loader/.aws/credentials <<EOF
[default]
aws_access_key_id = ${S3_ACCESS_KEY:?the object store's access key}
aws_secret_access_key = ${S3_SECRET_KEY:?the object store's secret key}
EOF
chown -R loader /home/loader/.aws /exports
exec /usr/sbin/sshd -D -e
