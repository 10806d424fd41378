SELECT country, COUNT(*) AS deposits, SUM(amount_minor) AS total, AVG(amount_minor) AS mean
FROM deposits
WHERE currency = 'EUR'
GROUP BY country
ORDER BY country
