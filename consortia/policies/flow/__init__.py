"""How columns flow through a plan: what each holds, what becomes known of it, and which operation that needs."""
