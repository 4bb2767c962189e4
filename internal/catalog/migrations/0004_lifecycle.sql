-- Side jobs stand beside the one job that works on a study's arrivals: holds, what others know of a study, moves. A study may have any number of them.
ALTER TABLE job ADD COLUMN side BIGINT NOT NULL DEFAULT 0;
DROP INDEX job_open;
CREATE UNIQUE INDEX job_open ON job (tenant, hash) WHERE side = 0 AND state IN ('queued', 'running', 'held');
DROP INDEX job_failed;
CREATE INDEX job_failed ON job (tenant, hash) WHERE side = 0 AND state = 'failed';

-- When the last hold of a study ends: 0 there is none, 9223372036854775807 it stands until it is lifted.
ALTER TABLE study ADD COLUMN hold_until BIGINT NOT NULL DEFAULT 0;
CREATE INDEX study_held ON study (tenant, hash) WHERE hold_until > 0;
UPDATE study SET hold_until = 9223372036854775807 WHERE holds > 0;

-- What a policy decides on, as short JSON, so that a plan over millions of studies reads rows and no manifests; '' in rows of versions that did not write it.
-- check_day is when time alone may change what the policy of check_epoch says of the study; every commit sets the epoch to 0: look at it again.
ALTER TABLE study ADD COLUMN facts TEXT NOT NULL DEFAULT '';
ALTER TABLE study ADD COLUMN check_epoch BIGINT NOT NULL DEFAULT 0;
CREATE INDEX study_due ON study (check_epoch, check_day, tenant, hash) WHERE head_key <> '';

-- The policies that were put in force, one after the other.
CREATE TABLE policy_epoch (
  epoch  BIGINT PRIMARY KEY,
  digest TEXT   NOT NULL, -- of the policy file
  name   TEXT   NOT NULL,
  since  BIGINT NOT NULL
);
