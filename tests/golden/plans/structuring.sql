-- each bank receives its own customers' keys, no amounts
SELECT customer_key
FROM deposits
WHERE ts >= TIMESTAMP '2026-03-01 00:00:00'
  AND ts < TIMESTAMP '2026-04-01 00:00:00'
  AND currency = 'EUR'
  AND amount_minor < 1000000
GROUP BY customer_key
HAVING SUM(amount_minor) >= 1000000
  AND COUNT(DISTINCT member()) >= 2
ORDER BY customer_key
