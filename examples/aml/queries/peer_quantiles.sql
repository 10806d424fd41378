SELECT country, COUNT(*) AS months,
  PERCENTILE_DISC(0.25) WITHIN GROUP (ORDER BY amount_minor) AS low,
  MEDIAN(amount_minor) AS middle,
  PERCENTILE_DISC(0.75) WITHIN GROUP (ORDER BY amount_minor) AS high
FROM cash_months
WHERE currency = 'EUR' AND month = '2026-10-01'
GROUP BY country
ORDER BY country
