SELECT segment, sar_flag, COUNT(DISTINCT customer_key) AS customers
FROM accounts
GROUP BY segment, sar_flag
ORDER BY segment, sar_flag
