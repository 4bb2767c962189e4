-- How many studies of a tenant were queued to be deleted, in slots of ten minutes: the breaker adds up those of a day.
CREATE TABLE deletion (
  tenant  TEXT   NOT NULL,
  slot    BIGINT NOT NULL, -- time in ms since 1970, divided by 600000
  studies BIGINT NOT NULL,
  PRIMARY KEY (tenant, slot)
);

-- The last moment at which somebody removed something or was about to: a clock that differs too much from it removes nothing.
CREATE TABLE watermark (
  id     BIGINT PRIMARY KEY, -- 1
  at     BIGINT NOT NULL,
  by_who TEXT   NOT NULL DEFAULT '', -- who approved the last jump forward, and why
  reason TEXT   NOT NULL DEFAULT ''
);
