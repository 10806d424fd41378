SELECT top.currency, COUNT(*) AS n, MIN(top.amount_minor) AS least
FROM (SELECT currency, country, amount_minor FROM deposits WHERE currency = 'EUR'
      ORDER BY amount_minor DESC LIMIT 100) AS top
GROUP BY top.currency
