SELECT r.place, COUNT(*) AS customers, AVG(r.total) AS mean
FROM (
  SELECT t.customer_key, t.total, RANK() OVER (PARTITION BY t.country ORDER BY t.total DESC) AS place
  FROM (
    SELECT customer_key, country, SUM(amount_minor) AS total FROM deposits WHERE currency = 'EUR'
    GROUP BY customer_key, country
  ) AS t
) AS r
WHERE r.place <= 10
GROUP BY r.place
