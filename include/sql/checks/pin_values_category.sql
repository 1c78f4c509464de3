-- category is one of the 13 values of the contract; made by `make contracts`.
-- grain: one row, the rows looked at and those that fail
-- reads: {{ stage }}.pin
-- params: stage, run
-- table: pin
-- action: warn
-- rule: values(category)
SELECT
    COUNT(*) AS `rows`,
    COUNT_IF(
        `category` NOT IN (
            'art',
            'beauty',
            'christmas',
            'diy-and-crafts',
            'education',
            'event-planning',
            'finance',
            'home-decor',
            'mens-fashion',
            'quotes',
            'tattoos',
            'travel',
            'vehicles'
        )
    ) AS failed
FROM {{ stage }}.`pin`
WHERE run = '{{ run }}'
