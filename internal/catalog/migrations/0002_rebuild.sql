-- How far a rebuild from the bucket is, by tenant and shard (a prefix of study
-- hashes, or q for the quarantine). It lies in the very catalog that is rebuilt: a catalog that is lost
-- takes its marks along, so that they never speak of rows that are not there. A rebuild that ended leaves none.
CREATE TABLE rebuild_mark (
  tenant  TEXT   NOT NULL,
  shard   TEXT   NOT NULL,
  after   TEXT   NOT NULL,
  done    BIGINT NOT NULL,
  found   TEXT   NOT NULL,
  updated BIGINT NOT NULL,
  PRIMARY KEY (tenant, shard)
);

-- Forks are few and must be counted without a look at every study.
CREATE INDEX study_fork ON study (tenant, hash) WHERE status = 'fork';
