-- AVG in HAVING is compared without a division
SELECT c
FROM numbers
GROUP BY c
HAVING AVG(price) >= 12.3456 AND c < 5
