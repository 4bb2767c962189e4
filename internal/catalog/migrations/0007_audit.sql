-- The audit log as a chain for each shard (first digit of the hash). number is a row's place in it, 0: it has none yet.
ALTER TABLE audit ADD COLUMN number BIGINT NOT NULL DEFAULT 0;
CREATE INDEX audit_number ON audit (number, hash, id);

-- How far a shard's chain lies in the bucket: rows up to last, whose line has this sum. Rows up to pending have their numbers and are on their way.
CREATE TABLE audit_chain (
  shard   TEXT   PRIMARY KEY,
  last    BIGINT NOT NULL,
  sum     TEXT   NOT NULL,
  pending BIGINT NOT NULL
);
