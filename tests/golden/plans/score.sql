-- a value per entity goes to the owners of the rows
SELECT person, SUM(price) AS total
FROM numbers
WHERE person IS NOT NULL AND price > -5.00
GROUP BY person
