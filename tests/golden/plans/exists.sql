-- obligations: customer_key 5 2
SELECT d.country, COUNT(DISTINCT d.customer_key) AS customers
FROM deposits AS d
WHERE d.currency = 'EUR'
  AND EXISTS (SELECT 1 FROM accounts AS a WHERE a.customer_key = d.customer_key AND a.sar_flag)
  AND d.customer_key NOT IN (SELECT person FROM numbers WHERE flag)
GROUP BY d.country
