-- one cell without keys
-- obligations: person 10 3
SELECT COUNT(*) AS n, COUNT(price) AS priced
FROM numbers
WHERE NOT flag
