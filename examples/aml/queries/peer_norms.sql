SELECT month, segment, COUNT(*) AS months, SUM(amount_minor) AS total, AVG(amount_minor) AS mean,
  VARIANCE(amount_minor) AS variance, STDDEV(amount_minor) AS deviation
FROM cash_months
WHERE currency = 'EUR'
GROUP BY month, segment
ORDER BY month, segment
