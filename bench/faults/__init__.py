"""IO shell: the fault list, injected one by one; each invariant is judged from a recorded history."""
