-- obligations: customer_key 5 2
SELECT a.risk, COUNT(*) AS deposits, SUM(d.amount_minor) AS total
FROM deposits AS d
JOIN (SELECT customer_key, MAX(risk_score) AS risk FROM accounts WHERE country = 'DE' GROUP BY customer_key) AS a
  ON d.customer_key = a.customer_key
WHERE d.currency = 'EUR' AND (d.amount_minor >= 100000 OR a.risk > 50)
GROUP BY a.risk
ORDER BY a.risk
