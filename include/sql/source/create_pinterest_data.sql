-- what: the posts table of the source database, as the locally seeded stand-in has it
-- grain: one row per post
-- reads: nothing
-- params: none
CREATE TABLE IF NOT EXISTS pinterest_data (
    `index` INT NOT NULL,
    unique_id VARCHAR(36),
    title TEXT,
    description TEXT,
    poster_name TEXT,
    follower_count TEXT,
    tag_list TEXT,
    is_image_or_video TEXT,
    image_src TEXT,
    downloaded INT,
    save_location TEXT,
    category TEXT,
    PRIMARY KEY (`index`)
) DEFAULT CHARACTER SET utf8mb4
