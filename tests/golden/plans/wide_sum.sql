-- a sum that reaches 2^62 is shared in 128 bits
-- obligations: person 10 3
SELECT flag, SUM(big) AS total, AVG(big) AS mean
FROM numbers
GROUP BY flag
