-- the canonical predicate makes an interbank row count once
SELECT currency, format, COUNT(*) AS n, SUM(amount_minor) AS total
FROM transactions
WHERE ts >= CAST(CURRENT_DATE - 90 AS TIMESTAMP)
GROUP BY currency, format
