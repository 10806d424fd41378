-- one member's part, without the canonical predicate
SELECT format, COUNT(*) AS n
FROM "bank-b".transactions
GROUP BY 1
