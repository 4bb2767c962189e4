-- When studies were read: at most one row for a study and a day (days since 1970 in UTC). cold counts reads of what lay on a colder tier than the first.
-- partition by hash
CREATE TABLE access (
  tenant TEXT   NOT NULL,
  hash   TEXT   NOT NULL,
  day    BIGINT NOT NULL,
  reads  BIGINT NOT NULL,
  cold   BIGINT NOT NULL,
  bytes  BIGINT NOT NULL,
  PRIMARY KEY (tenant, hash, day)
);
CREATE INDEX access_day ON access (day);

-- The last access, for policies that count from it; 0: none. In a catalog that was made again from the bucket it is when that was: nobody knows better, and nothing
-- may go earlier for it.
ALTER TABLE study ADD COLUMN accessed BIGINT NOT NULL DEFAULT 0;

-- Studies that were warmed for an appointment.
CREATE TABLE prefetch (
  id          TEXT   PRIMARY KEY,
  tenant      TEXT   NOT NULL,
  hash        TEXT   NOT NULL,
  appointment BIGINT NOT NULL,
  job         TEXT   NOT NULL,
  bytes       BIGINT NOT NULL,
  objects     BIGINT NOT NULL,
  tier        TEXT   NOT NULL,
  at          BIGINT NOT NULL
);
CREATE UNIQUE INDEX prefetch_once ON prefetch (tenant, hash, appointment);
CREATE INDEX prefetch_appointment ON prefetch (appointment);
