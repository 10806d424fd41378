-- obligations: customer_key 5 2
SELECT country, currency, SUM(amount_minor) AS total, MAX(ts) AS last, VAR_SAMP(amount_minor) AS spread
FROM deposits
GROUP BY country, currency
ORDER BY total DESC
LIMIT 3
