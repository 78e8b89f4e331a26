#!/bin/sh
# Run once by the postgres image, on an empty volume: the application does not own the server, only its database.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$TRIAGE_PASSWORD" --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE triage LOGIN PASSWORD :'password';
CREATE DATABASE triage OWNER triage;
SQL
