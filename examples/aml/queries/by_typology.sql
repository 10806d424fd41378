SELECT reason_code, COUNT(*) AS entries, COUNT(DISTINCT customer_key) AS customers
FROM watchlist
WHERE expires >= DATE '2026-11-01'
GROUP BY reason_code
ORDER BY reason_code
