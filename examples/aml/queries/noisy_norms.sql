SELECT segment, COUNT(*) AS months, SUM(amount_minor) AS total, AVG(amount_minor) AS mean
FROM cash_months
WHERE currency = 'EUR' AND month = '2026-10-01'
GROUP BY segment
ORDER BY segment
