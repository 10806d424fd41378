"""The parts of the test data: parameters, customers, what is planted, background, rings of launderers."""
