-- cells by country, released with ten entities and three members
-- obligations: customer_key 10 3
SELECT country, COUNT(*) AS deposits, SUM(amount_minor) AS total, AVG(amount_minor) AS mean
FROM deposits
WHERE currency = 'EUR'
GROUP BY country
ORDER BY country
