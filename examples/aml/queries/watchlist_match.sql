SELECT a.customer_key
FROM "bank-a".accounts AS a
JOIN (
  SELECT customer_key FROM watchlist
  WHERE expires >= DATE '2026-11-01' GROUP BY customer_key
) AS w ON w.customer_key = a.customer_key
GROUP BY a.customer_key
HAVING COUNT(DISTINCT member()) >= 2
ORDER BY customer_key
