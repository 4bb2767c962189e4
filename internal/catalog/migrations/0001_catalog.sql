-- One file for SQLite and PostgreSQL. BYTEA has no meaning to SQLite and keeps
-- blobs as they are. Times are milliseconds since 1970 UTC, 0 is never. Nothing
-- here grows with the number of instances. On PostgreSQL all text is compared
-- by its bytes (COLLATE "C"), as on SQLite and in keys of a bucket.
--
-- A line "-- partition by hash" makes the table after it, on PostgreSQL, 16
-- partitions by the first digit of hash: they are also prefixes of the bucket's
-- keys and units of plan, sweep and rebuild. Tables that grow for ever with the number of
-- studies have it; what is open only (jobs, arrivals, events, clean-ups) stays small.

CREATE TABLE tenant (
  name    TEXT PRIMARY KEY,
  created BIGINT NOT NULL
);

-- One row per study. hash is part of all its keys.
-- partition by hash
CREATE TABLE study (
  tenant       TEXT   NOT NULL,
  hash         TEXT   NOT NULL,
  uid          TEXT   NOT NULL,
  head_key     TEXT   NOT NULL DEFAULT '',
  head_sha256  TEXT   NOT NULL DEFAULT '',
  generation   BIGINT NOT NULL DEFAULT 0,
  published    BIGINT NOT NULL DEFAULT 0,
  want         BIGINT NOT NULL DEFAULT 0,
  done         BIGINT NOT NULL DEFAULT 0,
  check_day    BIGINT NOT NULL DEFAULT 0,
  status       TEXT   NOT NULL,
  instances    BIGINT NOT NULL DEFAULT 0,
  frames       BIGINT NOT NULL DEFAULT 0,
  series       BIGINT NOT NULL DEFAULT 0,
  passed       BIGINT NOT NULL DEFAULT 0,
  raw_bytes    BIGINT NOT NULL DEFAULT 0,
  stored_bytes BIGINT NOT NULL DEFAULT 0,
  quarantined  BIGINT NOT NULL DEFAULT 0,
  withdrawn    BIGINT NOT NULL DEFAULT 0,
  conflicts    BIGINT NOT NULL DEFAULT 0,
  holds        BIGINT NOT NULL DEFAULT 0,
  created      BIGINT NOT NULL,
  updated      BIGINT NOT NULL,
  PRIMARY KEY (tenant, hash)
);
CREATE INDEX study_uid ON study (uid);
CREATE INDEX study_hash ON study (hash);
CREATE INDEX study_unpublished ON study (tenant, hash) WHERE published = 0 AND generation > 0;

-- What a study has in one class and tier. copy 0 is the primary one; tier '' is the hot tier of the configuration.
-- partition by hash
CREATE TABLE holding (
  tenant  TEXT   NOT NULL,
  hash    TEXT   NOT NULL,
  class   TEXT   NOT NULL,
  copy    BIGINT NOT NULL DEFAULT 0,
  tier    TEXT   NOT NULL,
  since   BIGINT NOT NULL,
  bytes   BIGINT NOT NULL,
  objects BIGINT NOT NULL,
  PRIMARY KEY (tenant, hash, class, copy, tier)
);

CREATE TABLE job (
  id            TEXT   PRIMARY KEY,
  kind          TEXT   NOT NULL,
  tenant        TEXT   NOT NULL,
  hash          TEXT   NOT NULL,
  state         TEXT   NOT NULL,
  attempt       BIGINT NOT NULL DEFAULT 0,
  crashes       BIGINT NOT NULL DEFAULT 0,
  failures      BIGINT NOT NULL DEFAULT 0,
  owner         TEXT   NOT NULL DEFAULT '',
  lease_until   BIGINT NOT NULL DEFAULT 0,
  ready_at      BIGINT NOT NULL,
  last_error    TEXT   NOT NULL DEFAULT '',
  created       BIGINT NOT NULL,
  updated       BIGINT NOT NULL,
  token         TEXT   NOT NULL DEFAULT '', -- of the call that changed the owner last: a repeated call knows itself
  claim         TEXT   NOT NULL DEFAULT '', -- of the call that handed the job to the queue last
  claimed_until BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX job_open ON job (tenant, hash) WHERE state IN ('queued', 'running', 'held');
CREATE INDEX job_due ON job (tenant, ready_at, id) WHERE state = 'queued';
CREATE INDEX job_lease ON job (lease_until) WHERE state = 'running';
CREATE INDEX job_unclaimed ON job (tenant, ready_at, id) WHERE state = 'queued' AND claimed_until = 0;
CREATE INDEX job_claimed ON job (claimed_until) WHERE state = 'queued' AND claimed_until > 0;
CREATE INDEX job_done ON job (updated) WHERE state = 'done';
CREATE INDEX job_failed ON job (tenant, hash) WHERE state = 'failed';

-- Source files of a study that no commit covers yet: one row per batch, its files in one compressed blob.
CREATE TABLE arrival (
  id        TEXT   PRIMARY KEY,
  tenant    TEXT   NOT NULL,
  hash      TEXT   NOT NULL,
  seq       BIGINT NOT NULL,
  source    TEXT   NOT NULL,
  files     BYTEA  NOT NULL,
  digest    TEXT   NOT NULL,
  instances BIGINT NOT NULL,
  bytes     BIGINT NOT NULL,
  disposal  TEXT   NOT NULL,
  move_to   TEXT   NOT NULL,
  complete  BIGINT NOT NULL,
  received  BIGINT NOT NULL,
  ready_at  BIGINT NOT NULL
);
CREATE INDEX arrival_study ON arrival (tenant, hash, seq);

CREATE TABLE outbox (
  id         TEXT   PRIMARY KEY,
  tenant     TEXT   NOT NULL,
  hash       TEXT   NOT NULL,
  generation BIGINT NOT NULL,
  payload    TEXT   NOT NULL,
  created    BIGINT NOT NULL,
  claimed    BIGINT NOT NULL DEFAULT 0,
  delivered  BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX outbox_open ON outbox (created, id) WHERE delivered = 0;
CREATE INDEX outbox_delivered ON outbox (delivered) WHERE delivered > 0;

-- Source files to be moved or deleted, now that a commit covers them.
CREATE TABLE cleanup (
  id         TEXT   PRIMARY KEY,
  tenant     TEXT   NOT NULL,
  hash       TEXT   NOT NULL,
  generation BIGINT NOT NULL,
  source     TEXT   NOT NULL,
  files      BYTEA  NOT NULL,
  disposal   TEXT   NOT NULL,
  move_to    TEXT   NOT NULL,
  failures   BIGINT NOT NULL DEFAULT 0,
  ready_at   BIGINT NOT NULL,
  last_error TEXT   NOT NULL DEFAULT '',
  created    BIGINT NOT NULL
);
CREATE INDEX cleanup_ready ON cleanup (ready_at, id);
CREATE INDEX cleanup_study ON cleanup (tenant, hash);

-- partition by hash
CREATE TABLE audit (
  id              TEXT   NOT NULL,
  at              BIGINT NOT NULL,
  actor           TEXT   NOT NULL,
  action          TEXT   NOT NULL,
  tenant          TEXT   NOT NULL,
  hash            TEXT   NOT NULL,
  generation      BIGINT NOT NULL,
  job             TEXT   NOT NULL,
  attempt         BIGINT NOT NULL,
  manifest_key    TEXT   NOT NULL,
  manifest_sha256 TEXT   NOT NULL,
  note            TEXT   NOT NULL DEFAULT '',
  PRIMARY KEY (tenant, hash, id)
);
CREATE INDEX audit_study ON audit (tenant, hash, at);

-- hash is '' for files that could not be assigned to a study.
CREATE TABLE quarantine (
  id      TEXT   PRIMARY KEY,
  tenant  TEXT   NOT NULL,
  hash    TEXT   NOT NULL DEFAULT '',
  sha256  TEXT   NOT NULL,
  size    BIGINT NOT NULL,
  key     TEXT   NOT NULL,
  sop_uid TEXT   NOT NULL DEFAULT '',
  reason  TEXT   NOT NULL,
  path    TEXT   NOT NULL DEFAULT '',
  state   TEXT   NOT NULL,
  at      BIGINT NOT NULL
);
CREATE UNIQUE INDEX quarantine_file ON quarantine (tenant, sha256);

-- How long an object was stored: opened when it is superseded (until is then the earliest end), closed when it is removed.
-- partition by hash
CREATE TABLE interval_row (
  key     TEXT   NOT NULL,
  tenant  TEXT   NOT NULL,
  hash    TEXT   NOT NULL,
  tier    TEXT   NOT NULL,
  class   TEXT   NOT NULL,
  bytes   BIGINT NOT NULL,
  since   BIGINT NOT NULL,
  until   BIGINT NOT NULL,
  closed  BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant, hash, key)
);

-- Objects that a sweep removes or removed. Whatever is here, no commit may name again.
-- partition by hash
CREATE TABLE removal (
  key     TEXT   NOT NULL,
  tenant  TEXT   NOT NULL,
  hash    TEXT   NOT NULL,
  tier    TEXT   NOT NULL,
  bytes   BIGINT NOT NULL,
  reason  TEXT   NOT NULL,
  state   TEXT   NOT NULL,
  at      BIGINT NOT NULL,
  PRIMARY KEY (tenant, hash, key)
);
CREATE INDEX removal_open ON removal (tenant, hash) WHERE state = 'deleting';
