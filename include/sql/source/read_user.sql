-- what: the user of every post, for one unbuffered scan that keeps the frozen ids
-- grain: one row per ind, in no order
-- reads: user_data
-- params: none
SELECT
    ind,
    first_name,
    last_name,
    age,
    date_joined
FROM user_data
