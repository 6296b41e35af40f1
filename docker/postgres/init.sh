#!/bin/sh
# First start only: the databases of the platform. The loading role may read exported files that lie on the server.
set -eu
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<EOF
CREATE DATABASE serving OWNER "$POSTGRES_USER";
CREATE DATABASE serving_staging OWNER "$POSTGRES_USER";
CREATE DATABASE airflow OWNER "$POSTGRES_USER";
GRANT pg_read_server_files TO "$POSTGRES_USER";
EOF
