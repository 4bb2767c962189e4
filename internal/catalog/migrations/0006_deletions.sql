-- How many studies of a tenant were queued to be deleted, in slots of ten minutes: the breaker adds up those of a day.
CREATE TABLE deletion (
  tenant  TEXT   NOT NULL,
  slot    BIGINT NOT NULL, -- time in ms since 1970, divided by 600000
  studies BIGINT NOT NULL,
  PRIMARY KEY (tenant, slot)
);
