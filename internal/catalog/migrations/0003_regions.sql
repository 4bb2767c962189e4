-- What is known about lesions: state and plan of the region record, and the answer of a person that stands ('' is none).
ALTER TABLE study ADD COLUMN region_state TEXT NOT NULL DEFAULT '';
ALTER TABLE study ADD COLUMN region_plan TEXT NOT NULL DEFAULT '';
ALTER TABLE study ADD COLUMN reviewed TEXT NOT NULL DEFAULT '';

-- Studies that a person must look at. Most have no evidence at all, or all that is needed, and are not in the index.
CREATE INDEX study_review ON study (tenant, hash) WHERE reviewed = '' AND region_state NOT IN ('', 'none', 'extracted', 'key-slices', 'negative');

-- Who refers to a study's images (hash: that of the study referred to, which may not be here yet; citing, uid: the study that refers). evidence is a
-- digest of what the citing study's head says of it, '' nothing; seen is the digest that the plan of the study's own head has looked at.
-- partition by hash
CREATE TABLE citation (
  tenant     TEXT   NOT NULL,
  hash       TEXT   NOT NULL,
  citing     TEXT   NOT NULL,
  uid        TEXT   NOT NULL,
  generation BIGINT NOT NULL DEFAULT 0, -- of the citing study's head
  evidence   TEXT   NOT NULL DEFAULT '',
  seen       TEXT   NOT NULL DEFAULT '',
  PRIMARY KEY (tenant, hash, citing)
);
CREATE INDEX citation_citing ON citation (tenant, citing);
