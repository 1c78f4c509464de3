-- what: the users table of the source database, as the locally seeded stand-in has it
-- grain: one row per post, naming the user who posted it
-- reads: nothing
-- params: none
CREATE TABLE IF NOT EXISTS user_data (
    ind INT NOT NULL,
    first_name TEXT,
    last_name TEXT,
    age INT,
    date_joined DATETIME,
    PRIMARY KEY (ind)
) DEFAULT CHARACTER SET utf8mb4
