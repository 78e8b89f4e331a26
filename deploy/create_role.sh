#!/bin/sh
# Run once by the postgres image, on an empty volume. triage_owner owns the tables and migrates; triage, which the
# application logs in as, owns nothing: `manage.py grant_role triage` says what it may do.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$TRIAGE_PASSWORD" --set owner_password="$TRIAGE_OWNER_PASSWORD" \
  --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE triage_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE triage LOGIN PASSWORD :'password';
CREATE DATABASE triage OWNER triage_owner;
SQL
