SELECT d.country, MEDIAN(n.c * 2 + 1) AS middle, COUNT(n.a) AS known
FROM deposits AS d LEFT JOIN "bank-b".numbers AS n ON d.customer_key = n.person AND n.c > 3
GROUP BY d.country
