-- a sum that no customer and no bank may dominate, rounded
-- obligations: customer_key 10 3 and all rules on magnitudes
SELECT country, SUM(amount_minor) AS total
FROM deposits
WHERE currency = 'EUR'
GROUP BY country
