-- what: the places and times table of the source database, as the locally seeded stand-in has it
-- grain: one row per post; no index on timestamp, as in production
-- reads: nothing
-- params: none
CREATE TABLE IF NOT EXISTS geolocation_data (
    ind INT NOT NULL,
    `timestamp` DATETIME,
    latitude FLOAT,
    longitude FLOAT,
    country TEXT,
    PRIMARY KEY (ind)
) DEFAULT CHARACTER SET utf8mb4
