SELECT customer_key, country, SUM(amount_minor) AS total
FROM deposits
WHERE currency = 'EUR'
GROUP BY customer_key, country
ORDER BY total
