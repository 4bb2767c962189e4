-- The ledger of storage: how many bytes lay where, at which time. Whatever puts, moves, hides, supersedes or removes objects of a study leaves one row here in its own
-- transaction, with all that changes as short JSON; folding adds them up by dimension and slot, and removes them.
CREATE TABLE ledger_entry (
  id    TEXT PRIMARY KEY,
  flows TEXT NOT NULL
);

-- Only one process folds at a time.
CREATE TABLE ledger_lock (
  id BIGINT PRIMARY KEY -- 1
);

-- What bytes are counted by. state is live, trash, superseded or orphan; cohort is the month in which the study came, as 202611, 0 not known.
CREATE TABLE ledger_dimension (
  id         BIGINT PRIMARY KEY,
  tenant     TEXT   NOT NULL,
  tier       TEXT   NOT NULL,
  class      TEXT   NOT NULL,
  state      TEXT   NOT NULL,
  modality   TEXT   NOT NULL,
  department TEXT   NOT NULL,
  cohort     BIGINT NOT NULL
);
CREATE UNIQUE INDEX ledger_dimension_is ON ledger_dimension (tenant, tier, class, state, modality, department, cohort);

-- What changed in a quarter of an hour; slot is its beginning, in seconds since 1970 divided by 900. short_64 and short_128 are the bytes by which objects are smaller than 64 and
-- 128 KiB. The columns at_ are sums of what came, less what went, each times the seconds since the slot's beginning; early_ are bytes that went, each times the
-- seconds that were missing to so many days of age.
CREATE TABLE ledger_flow (
  dimension    BIGINT NOT NULL,
  slot         BIGINT NOT NULL,
  in_bytes     BIGINT NOT NULL,
  out_bytes    BIGINT NOT NULL,
  in_objects   BIGINT NOT NULL,
  out_objects  BIGINT NOT NULL,
  short_64     BIGINT NOT NULL,
  short_128    BIGINT NOT NULL,
  at_bytes     BIGINT NOT NULL,
  at_objects   BIGINT NOT NULL,
  at_short_64  BIGINT NOT NULL,
  at_short_128 BIGINT NOT NULL,
  early_30     BIGINT NOT NULL,
  early_60     BIGINT NOT NULL,
  early_90     BIGINT NOT NULL,
  early_180    BIGINT NOT NULL,
  PRIMARY KEY (dimension, slot)
);
CREATE INDEX ledger_flow_slot ON ledger_flow (slot);

-- What there was at the beginning of a slot, so that a report adds up one month only. Late entries change what is here, too.
CREATE TABLE ledger_balance (
  slot      BIGINT NOT NULL,
  dimension BIGINT NOT NULL,
  bytes     BIGINT NOT NULL,
  objects   BIGINT NOT NULL,
  short_64  BIGINT NOT NULL,
  short_128 BIGINT NOT NULL,
  PRIMARY KEY (slot, dimension)
);
CREATE TABLE ledger_balanced (
  slot BIGINT PRIMARY KEY
);

-- superseded is when it was; counted says that it is in the ledger as superseded since then, under these dimensions.
ALTER TABLE interval_row ADD COLUMN superseded BIGINT NOT NULL DEFAULT 0;
ALTER TABLE interval_row ADD COLUMN counted TEXT NOT NULL DEFAULT '';
UPDATE interval_row SET superseded = until WHERE closed = 0;

-- When an object that is removed was put.
ALTER TABLE removal ADD COLUMN put BIGINT NOT NULL DEFAULT 0;
