SELECT country, COUNT(*) AS customers
FROM (SELECT customer_key, country FROM accounts INTERSECT SELECT customer_key, country FROM deposits) AS both_tables
GROUP BY country
HAVING COUNT(*) >= 10
