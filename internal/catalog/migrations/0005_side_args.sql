-- What a side job is to do, as JSON; '' if its kind says all.
ALTER TABLE job ADD COLUMN args TEXT NOT NULL DEFAULT '';
CREATE INDEX job_side ON job (tenant, hash) WHERE side = 1 AND state IN ('queued', 'running', 'held');
